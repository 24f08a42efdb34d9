import { describe, expect, it } from "vitest";
import { namedShapeFromSchema, type ContractSchema } from "../contract/shape-from-schema.js";
import { emitTsRs } from "./emit-ts-rs.js";

const folders: Record<string, string> = { PoolView: "paging", Other: "system" };
const emit = (schema: ContractSchema): string =>
  emitTsRs(namedShapeFromSchema("paging/X.json", schema), (name) => folders[name] ?? "paging");
const object = (
  properties: Record<string, ContractSchema>,
  required = Object.keys(properties),
): ContractSchema => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

/** Each text is what ts-rs 12 writes for the like Rust type, byte for byte below its first line. */
describe("ts-rs text", () => {
  it.each<[string, ContractSchema, string]>([
    [
      "fields on one line",
      object({ a: { type: "number" }, b: { type: "string" } }),
      "export type X = { a: number, b: string, };\n",
    ],
    [
      "a documented type and field",
      {
        ...object({ a: { type: "boolean", description: "First.\n\nThird." }, b: { type: "null" } }),
        description: "The type.",
      },
      "/**\n * The type.\n */\nexport type X = { \n/**\n * First.\n *\n * Third.\n */\na: boolean, b: null, };\n",
    ],
    [
      "a documented field after one without docs",
      object({ a: { type: "number" }, b: { type: "number", description: "B." } }),
      "export type X = { a: number, \n/**\n * B.\n */\nb: number, };\n",
    ],
    [
      "an internally tagged union, docs of variants dropped and of their fields kept",
      {
        oneOf: [
          {
            ...object({ kind: { const: "a" }, x: { type: "number", description: "X." } }),
            description: "dropped",
          },
          object({ kind: { const: "b" }, "odd-name": { type: "string" } }),
        ],
      },
      'export type X = { "kind": "a", \n/**\n * X.\n */\nx: number, } | { "kind": "b", "odd-name": string, };\n',
    ],
    ["a unit enum", { type: "string", enum: ["low", "high"] }, 'export type X = "low" | "high";\n'],
    [
      "arrays, nullable and optional fields",
      object(
        {
          a: { type: "array", items: { type: "string" } },
          b: { anyOf: [{ type: "number" }, { type: "null" }] },
          c: { type: "string" },
        },
        ["a", "b"],
      ),
      "export type X = { a: Array<string>, b: number | null, c?: string, };\n",
    ],
    [
      "imports sorted, relative, once each, then a blank line",
      object({
        o: { $ref: "../system/Other.json" },
        v: { type: "array", items: { $ref: "./PoolView.json" } },
        w: { allOf: [{ $ref: "./PoolView.json" }] },
      }),
      'import type { Other } from "../system/Other";\nimport type { PoolView } from "./PoolView";\n\nexport type X = { o: Other, v: Array<PoolView>, w: PoolView, };\n',
    ],
    ["an empty object", object({}), "export type X = { };\n"],
  ])("%s", (_what, schema, text) => {
    expect(emit(schema)).toBe(text);
  });
});
