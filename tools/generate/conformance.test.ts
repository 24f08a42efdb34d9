import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as wireTypes from "@continuum/wire-types";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import { toCamelCase } from "./contract-model.js";

/** What stands in `schemas/vectors/<Type>.json`: values that every validator of the type accepts or rejects. */
interface Vectors {
  readonly type: string;
  readonly accept: readonly unknown[];
  readonly reject: readonly { readonly why: string; readonly path: string; readonly value: unknown }[];
}

const schemas = join(import.meta.dirname, "../../schemas");
const readJson = (...path: string[]): unknown => JSON.parse(readFileSync(join(schemas, ...path), "utf8"));

// The independent witness: the schemas themselves, compiled by ajv.
const ajv = new Ajv2020({ strict: true, allErrors: false });
const typeNames: string[] = [];
for (const folder of ["paging", "resources", "system"]) {
  for (const file of readdirSync(join(schemas, folder))) {
    ajv.addSchema(readJson(folder, file) as object, `contract:/${folder}/${file}`);
    typeNames.push(file.replace(".json", ""));
  }
}
const ajvOf = (type: string): ((value: unknown) => boolean) => {
  const key = ["paging", "resources", "system"]
    .map((f) => `contract:/${f}/${type}.json`)
    .find((k) => ajv.getSchema(k));
  const validate = key === undefined ? undefined : ajv.getSchema(key);
  if (validate === undefined) throw new Error(`no schema of ${type}`);
  return (value) => {
    const verdict: unknown = validate(value);
    return verdict === true;
  };
};
const exported = wireTypes as unknown as Record<string, unknown>;
const closedOf = (type: string): z.ZodType => exported[`${toCamelCase(type)}Schema`] as z.ZodType;
const decodeOf = (type: string): ((value: unknown) => unknown) =>
  exported[`decode${type}`] as (value: unknown) => unknown;

it("every wire type has vectors", () => {
  expect(
    readdirSync(join(schemas, "vectors"))
      .map((file) => file.replace(".json", ""))
      .sort(),
  ).toEqual(typeNames.sort());
});

describe.each(typeNames)("%s", (type) => {
  const { accept, reject } = readJson("vectors", `${type}.json`) as Vectors;

  it.each(accept.map((value) => [JSON.stringify(value), value]))("accepts %s", (_text, value) => {
    expect(ajvOf(type)(value)).toBe(true);
    expect(closedOf(type).parse(value)).toEqual(value);
    expect(decodeOf(type)(value)).toEqual(value);
    expect(decodeOf(type)(JSON.parse(JSON.stringify(value)))).toEqual(value);
  });

  it.each(reject.map(({ why, path, value }) => [why, path, value] as const))(
    "rejects %s",
    (_why, path, value) => {
      expect(ajvOf(type)(value)).toBe(false);
      expect(closedOf(type).safeParse(value).success).toBe(false);
      expect(() => decodeOf(type)(value)).toThrow(
        expect.objectContaining({ name: "DecodeError", path }) as Error,
      );
    },
  );

  it("lets an unknown key pass when it comes in, and refuses to send one", () => {
    for (const value of accept) {
      if (typeof value !== "object" || value === null) continue;
      const newer = { ...value, addedByANewerCore: 1 };
      expect(decodeOf(type)(newer)).toEqual(newer);
      expect(closedOf(type).safeParse(newer).success).toBe(false);
      expect(ajvOf(type)(newer)).toBe(false);
    }
  });
});
