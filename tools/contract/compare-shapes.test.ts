import { describe, expect, it } from "vitest";
import { compareContracts } from "./compare-shapes.js";
import { type ContractSchema, namedShapeFromSchema } from "./shape-from-schema.js";
import { shapesFromTypeScript } from "./shape-from-typescript.js";

const integer: ContractSchema = { type: "integer", minimum: 0 };
const object = (
  properties: Record<string, ContractSchema>,
  required = Object.keys(properties),
): ContractSchema => ({
  description: "Docs.",
  type: "object",
  properties,
  required,
});
const docs = "/** Docs. */\n";

const compare = (schema: ContractSchema, theirs: string): unknown =>
  compareContracts(
    [namedShapeFromSchema("f/X.json", schema)],
    shapesFromTypeScript("X.ts", theirs, "any/other/folder"),
  )[0];

describe("compare with a ts-rs export", () => {
  it.each<[string, ContractSchema, string]>([
    [
      "one line",
      object({ a: integer, b: { type: "string" } }),
      `${docs}export type X = { a: number, b: string, };`,
    ],
    ["an interface", object({ a: integer }), `${docs}export interface X { a: number; }`],
    [
      "arrays in either notation",
      object({ a: { type: "array", items: integer } }),
      `${docs}export type X = { a: number[], };`,
    ],
    [
      "a nullable",
      object({ a: { anyOf: [integer, { type: "null" }] } }),
      `${docs}export type X = { a: null | number, };`,
    ],
    ["an optional field", object({ a: integer }, []), `${docs}export type X = { a?: number, };`],
    [
      "a map in ts-rs's notations",
      { description: "Docs.", type: "object", additionalProperties: integer },
      `${docs}export type X = { [key in string]?: number };`,
    ],
    [
      "an index signature",
      { description: "Docs.", type: "object", additionalProperties: integer },
      `${docs}export type X = { [key: string]: number };`,
    ],
    [
      "a Record",
      { description: "Docs.", type: "object", additionalProperties: integer },
      `${docs}export type X = Record<string, number>;`,
    ],
    [
      "a flattened struct",
      object({ a: integer, b: { type: "string" } }),
      `${docs}export type X = { a: number } & { b: string };`,
    ],
    [
      "an enum in another order",
      { description: "Docs.", enum: ["a", "b"] },
      `${docs}export type X = "b" | "a";`,
    ],
    [
      "a reference, wherever it comes from",
      object({ a: { $ref: "../g/Y.json" } }),
      `import type { Y } from "../../deep/Y";\n${docs}export type X = { a: Y };`,
    ],
    [
      "a tagged union",
      {
        description: "Docs.",
        oneOf: [object({ kind: { const: "p" }, n: integer }), object({ kind: { const: "q" } })],
      },
      `${docs}export type X = { "kind": "q" } | { "kind": "p", n: number, };`,
    ],
  ])("%s is identical", (_what, schema, theirs) => {
    expect(compare(schema, theirs)).toEqual({ verdict: "identical", name: "X" });
  });

  it("explains bigint, docs and the order of fields", () => {
    expect(compare(object({ a: integer, b: integer }), "export type X = { b: bigint, a: number, };")).toEqual(
      {
        verdict: "explained",
        name: "X",
        why: ["bigint for a number", "doc text", "field order"],
      },
    );
    const deep = object({ a: { anyOf: [{ type: "array", items: integer }, { type: "null" }] } });
    expect(compare(deep, `${docs}export type X = { a: Array<bigint> | null };`)).toMatchObject({
      verdict: "explained",
      why: ["bigint for a number"],
    });
  });

  it.each<[string, ContractSchema, string, unknown]>([
    [
      "a retyped field",
      object({ a: integer }),
      "export type X = { a: string }",
      { path: "a", ours: "number", theirs: "string" },
    ],
    [
      "a missing field",
      object({ a: integer, b: integer }),
      "export type X = { a: number }",
      { path: "b", ours: "number", theirs: "(absent)" },
    ],
    [
      "a field only there",
      object({ a: integer }),
      "export type X = { a: number, c: boolean }",
      { path: "c", ours: "(absent)", theirs: "boolean" },
    ],
    [
      "optionality",
      object({ a: integer }),
      "export type X = { a?: number }",
      { path: "a", ours: "number", theirs: "optional number" },
    ],
    [
      "nullability",
      object({ a: integer }),
      "export type X = { a: number | null }",
      { path: "a", ours: "number", theirs: "null | number" },
    ],
    [
      "a nullable bigint of another type",
      object({ a: { type: "string" } }),
      "export type X = { a: bigint }",
      { path: "a", ours: "string", theirs: "bigint" },
    ],
    [
      "deep inside",
      object({ a: { type: "array", items: object({ b: integer }) } }),
      "export type X = { a: Array<{ b: string }> }",
      { path: "a[].b", ours: "number", theirs: "string" },
    ],
    [
      "an enum's member",
      { enum: ["a", "b"] },
      'export type X = "a" | "c";',
      { path: "", ours: '"b"', theirs: "(absent)" },
    ],
    [
      "what can't be read",
      object({ a: integer }),
      "export type X = { a: Map<string, number> }",
      { path: "a", ours: "number", theirs: "unreadable: Map<string, number>" },
    ],
    [
      "a field of one variant",
      { oneOf: [object({ kind: { const: "p" }, n: integer }), object({ kind: { const: "q" } })] },
      'export type X = { "kind": "p", n: string } | { "kind": "q" }',
      { path: "<kind=p>.n", ours: "number", theirs: "string" },
    ],
  ])("%s is a difference with both sides", (_what, schema, theirs, difference) => {
    expect(compare(schema, theirs)).toMatchObject({
      verdict: "different",
      differences: expect.arrayContaining([difference]) as unknown,
    });
  });

  it("says what stands on one side only", () => {
    const ours = [namedShapeFromSchema("f/Here.json", { type: "string" })];
    const theirs = shapesFromTypeScript("x.ts", "export type There = string; type Hidden = number;");
    expect(compareContracts(ours, theirs)).toEqual([
      { verdict: "onlyHere", name: "Here" },
      { verdict: "onlyThere", name: "There" },
    ]);
  });
});
