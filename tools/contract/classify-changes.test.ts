import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ChangeRule, classifyTypes, type Direction } from "./classify-changes.js";
import { classifyCommands, type CommandContract, directionsOf } from "./classify-commands.js";
import { type ContractSchema, shapeFromSchema } from "./shape-from-schema.js";
import type { FieldShape, NamedShape } from "./shape.js";

const object = (
  properties: Record<string, ContractSchema>,
  optional: readonly string[] = [],
): ContractSchema => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});
const text: ContractSchema = { type: "string" };
const number: ContractSchema = { type: "number" };
const integer: ContractSchema = { type: "integer", minimum: 0, maximum: 100 };
const nullable = (schema: ContractSchema): ContractSchema => ({ anyOf: [schema, { type: "null" }] });
const oneOfKinds = (...kinds: readonly string[]): ContractSchema => ({
  oneOf: kinds.map((kind) => object({ kind: { const: kind }, x: number })),
});
const named = (schema: ContractSchema, name = "T", folder = "f"): NamedShape => ({
  name,
  folder,
  doc: "",
  shape: shapeFromSchema(schema),
});

type Case = readonly [what: string, before: ContractSchema, after: ContractSchema, rules: readonly string[]];

/** `rule` alone is breaking everywhere; `rule+` additive everywhere; `rule+sent` additive only where the core alone writes. */
const cases: readonly Case[] = [
  ["nothing", object({ a: text }), object({ a: text }), []],
  ["a description", object({ a: text }), object({ a: { ...text, description: "new" } }), []],
  ["the order of fields", object({ a: text, b: text }), object({ b: text, a: text }), []],
  ["a field removed", object({ a: text, b: text }), object({ a: text }), ["fieldRemoved"]],
  ["a field renamed", object({ a: text }), object({ b: text }), ["fieldRemoved", "fieldAdded"]],
  ["a required field added", object({ a: text }), object({ a: text, b: text }), ["fieldAdded"]],
  [
    "an optional field added",
    object({ a: text }),
    object({ a: text, b: text }, ["b"]),
    ["optionalFieldAdded+"],
  ],
  ["optional to required", object({ a: text }, ["a"]), object({ a: text }), ["becameRequired"]],
  ["required to optional", object({ a: text }), object({ a: text }, ["a"]), ["becameOptional+received"]],
  ["text to number", object({ a: text }), object({ a: number }), ["retyped"]],
  ["one to many", object({ a: text }), object({ a: { type: "array", items: text } }), ["retyped"]],
  [
    "another type referred to",
    object({ a: { $ref: "./A.json" } }),
    object({ a: { $ref: "./B.json" } }),
    ["retyped"],
  ],
  ["a type inlined", object({ a: { $ref: "./A.json" } }), object({ a: object({ x: text }) }), ["retyped"]],
  [
    "integer to number",
    object({ a: { type: "integer" } }),
    object({ a: number }),
    ["integerToNumber+received"],
  ],
  ["number to integer", object({ a: number }), object({ a: { type: "integer" } }), ["numberToInteger+sent"]],
  [
    "a constraint narrowed",
    object({ a: integer }),
    object({ a: { ...integer, maximum: 50 } }),
    ["boundNarrowed+sent"],
  ],
  [
    "a minimum raised",
    object({ a: integer }),
    object({ a: { ...integer, minimum: 1 } }),
    ["boundNarrowed+sent"],
  ],
  [
    "a constraint widened",
    object({ a: integer }),
    object({ a: { ...integer, maximum: 200 } }),
    ["boundWidened+received"],
  ],
  [
    "a bound dropped",
    object({ a: integer }),
    object({ a: { type: "integer", minimum: 0 } }),
    ["boundWidened+received"],
  ],
  ["became nullable", object({ a: text }), object({ a: nullable(text) }), ["becameNullable+received"]],
  ["no longer nullable", object({ a: nullable(text) }), object({ a: text }), ["becameNonNullable+sent"]],
  ["an enum member added", { enum: ["a", "b"] }, { enum: ["a", "b", "c"] }, ["enumMemberAdded+sent"]],
  ["an enum member removed", { enum: ["a", "b"] }, { enum: ["a"] }, ["enumMemberRemoved"]],
  ["all enum members exchanged", { enum: ["a", "b"] }, { enum: ["c", "d"] }, ["retyped"]],
  ["a tag added", oneOfKinds("a", "b"), oneOfKinds("a", "b", "c"), ["tagAdded"]],
  ["a tag removed", oneOfKinds("a", "b"), oneOfKinds("a"), ["tagRemoved"]],
  ["a tag renamed", oneOfKinds("a", "b"), oneOfKinds("a", "c"), ["tagRemoved", "tagAdded"]],
  [
    "a field of a variant retyped",
    oneOfKinds("a", "b"),
    { oneOf: [object({ kind: { const: "a" }, x: text }), object({ kind: { const: "b" }, x: number })] },
    ["retyped"],
  ],
  [
    "an alternative added",
    { anyOf: [text, number] },
    { anyOf: [text, number, { type: "boolean" }] },
    ["unionMemberAdded+received"],
  ],
  [
    "an alternative removed",
    { anyOf: [text, number, { type: "boolean" }] },
    { anyOf: [text, number] },
    ["unionMemberRemoved+sent"],
  ],
  [
    "deep inside a list",
    object({ a: { type: "array", items: object({ b: text }) } }),
    object({ a: { type: "array", items: object({ b: number }) } }),
    ["retyped"],
  ],
  [
    "a map's values",
    { type: "object", additionalProperties: text },
    { type: "object", additionalProperties: number },
    ["retyped"],
  ],
];

const classified = (
  before: readonly NamedShape[],
  after: readonly NamedShape[],
  direction: Direction,
): string[] =>
  classifyTypes(before, after, () => direction).map(({ rule, severity }) => `${rule}:${severity}`);

describe.each(["sent", "received", "both"] as const)("a change of a type that is %s", (direction) => {
  it.each(cases)("%s", (_what, before, after, rules) => {
    const expected = rules.map((rule) => {
      const [name = "", harmless] = rule.split("+");
      const additive = harmless !== undefined && (harmless === "" || harmless === direction);
      return `${name}:${additive ? "additive" : "breaking"}`;
    });
    expect(classified([named(before)], [named(after)], direction)).toEqual(expected);
  });
});

describe("a change of the set of types", () => {
  const type = named(object({ a: text }));
  it("added, removed, renamed, moved", () => {
    expect(classified([], [type], "sent")).toEqual(["typeAdded:additive"]);
    expect(classified([type], [], "sent")).toEqual(["typeRemoved:breaking"]);
    expect(classified([type], [{ ...type, name: "U" }], "sent")).toEqual([
      "typeRemoved:breaking",
      "typeAdded:additive",
    ]);
    expect(classified([type], [{ ...type, folder: "elsewhere" }], "sent")).toEqual(["typeMoved:breaking"]);
  });
});

describe("a change of a command", () => {
  const field = (name: string, schema: ContractSchema, optional = false): FieldShape => ({
    name,
    optional,
    shape: shapeFromSchema(schema),
    doc: "",
  });
  const command: CommandContract = {
    name: "a/b",
    params: [field("p", integer)],
    results: [field("r", integer)],
    accessLevel: "ai-safe",
    idempotent: true,
  };
  const changes = (after: Partial<CommandContract>): string[] =>
    classifyCommands([command], [{ ...command, ...after }]).map(
      ({ rule, severity }) => `${rule}:${severity}`,
    );

  it.each<[string, Partial<CommandContract>, readonly string[]]>([
    ["nothing", {}, []],
    [
      "a required parameter added",
      { params: [...command.params, field("q", text)] },
      ["paramAdded:breaking"],
    ],
    [
      "an optional parameter added",
      { params: [...command.params, field("q", text, true)] },
      ["optionalParamAdded:additive"],
    ],
    ["a parameter removed", { params: [] }, ["paramRemoved:breaking"]],
    ["a parameter became optional", { params: [field("p", integer, true)] }, ["becameOptional:additive"]],
    [
      "a parameter takes more",
      { params: [field("p", { ...integer, maximum: 1000 })] },
      ["boundWidened:additive"],
    ],
    [
      "a parameter takes less",
      { params: [field("p", { ...integer, maximum: 10 })] },
      ["boundNarrowed:breaking"],
    ],
    ["a result removed", { results: [] }, ["fieldRemoved:breaking"]],
    [
      "a result gives more",
      { results: [field("r", { ...integer, maximum: 1000 })] },
      ["boundWidened:breaking"],
    ],
    [
      "a result gives less",
      { results: [field("r", { ...integer, maximum: 10 })] },
      ["boundNarrowed:additive"],
    ],
    [
      "an optional result added",
      { results: [...command.results, field("s", text, true)] },
      ["optionalFieldAdded:additive"],
    ],
    ["access tightened", { accessLevel: "admin-only" }, ["accessTightened:breaking"]],
    ["access loosened", { accessLevel: "public" }, ["accessLoosened:additive"]],
    ["no longer idempotent", { idempotent: false }, ["idempotenceLost:breaking"]],
  ])("%s", (_what, after, expected) => {
    expect(changes(after)).toEqual(expected);
  });

  it("became idempotent, added, removed", () => {
    const once = { ...command, idempotent: false };
    expect(classifyCommands([once], [command])).toMatchObject([
      { rule: "idempotenceGained", severity: "additive" },
    ]);
    expect(classifyCommands([], [command])).toMatchObject([{ rule: "commandAdded", severity: "additive" }]);
    expect(classifyCommands([command], [])).toMatchObject([{ rule: "commandRemoved", severity: "breaking" }]);
  });

  it("knows who writes a type from the commands that reach it", () => {
    const types = [
      named({ type: "array", items: { $ref: "./Inner.json" } }, "Outer"),
      named(text, "Inner"),
      named(text, "Event"),
      named(text, "Asked"),
    ];
    const directions = directionsOf(types, [
      {
        ...command,
        params: [field("p", { $ref: "./Asked.json" })],
        results: [field("r", { $ref: "./Outer.json" })],
      },
      { ...command, name: "c", params: [field("p", { $ref: "./Inner.json" })], results: [] },
    ]);
    expect(["Outer", "Inner", "Event", "Asked"].map(directions)).toEqual([
      "sent",
      "both",
      "sent",
      "received",
    ]);
  });
});

it("the documented table has a row for every rule, and no other", () => {
  const table = readFileSync(join(import.meta.dirname, "../../docs/contract-changes.md"), "utf8");
  const documented = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, rule]) => rule).sort();
  const source = readFileSync(join(import.meta.dirname, "classify-changes.ts"), "utf8");
  const union = /export type ChangeRule =([^;]*);/.exec(source)?.[1] ?? "";
  const rules: readonly (ChangeRule | undefined)[] = [...union.matchAll(/"(\w+)"/g)].map(
    ([, rule]) => rule as ChangeRule,
  );
  expect(documented).toEqual([...rules].sort());
});
