import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as wireTypes from "@continuum/wire-types";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import type { Shape } from "../contract/shape.js";
import { arbitraryValue, type Place, placesOf, wrongValues } from "./arbitrary-value.js";
import { toCamelCase } from "./contract-model.js";
import { readContract } from "./read-contract.js";

const workspace = join(import.meta.dirname, "../..");
const { types } = await readContract(workspace);
const shapes = new Map(types.map(({ name, shape }) => [name, shape]));
const shapeOf = (name: string): Shape => shapes.get(name) ?? { kind: "any" };

const ajv = new Ajv2020({ strict: true });
for (const folder of ["paging", "resources", "system"]) {
  for (const file of readdirSync(join(workspace, "schemas", folder))) {
    ajv.addSchema(
      JSON.parse(readFileSync(join(workspace, "schemas", folder, file), "utf8")) as object,
      `contract:/${folder}/${file}`,
    );
  }
}
const exported = wireTypes as unknown as Record<string, unknown>;

const replaceAt = (value: unknown, path: Place["path"], by: unknown): unknown => {
  const [first, ...rest] = path;
  if (first === undefined) return by;
  if (Array.isArray(value))
    return value.map((item: unknown, i) => (i === first ? replaceAt(item, rest, by) : item));
  const object = value as Record<string, unknown>;
  return { ...object, [first]: replaceAt(object[String(first)], rest, by) };
};
const formatPath = (path: Place["path"]): string =>
  path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );

/** Both validators and the schema itself, on values that nobody thought of. */
describe.each(types.map(({ name, folder, shape }) => [name, folder, shape] as const))(
  "%s",
  (name, folder, shape) => {
    const inSchema = (value: unknown): boolean => ajv.validate(`contract:/${folder}/${name}.json`, value);
    const closed = exported[`${toCamelCase(name)}Schema`] as z.ZodType;
    const decode = exported[`decode${name}`] as (value: unknown) => unknown;

    it("every valid value is accepted", () => {
      fc.assert(
        fc.property(arbitraryValue(shape, shapeOf), (value) => {
          const arrived: unknown = JSON.parse(JSON.stringify(value));
          expect(inSchema(arrived)).toBe(true);
          expect(closed.safeParse(arrived).success).toBe(true);
          expect(decode(arrived)).toEqual(arrived);
        }),
        { numRuns: 60 },
      );
    });

    it("every value that is wrong in one place is rejected there", () => {
      fc.assert(
        fc.property(arbitraryValue(shape, shapeOf), fc.nat(), fc.nat(), (value, nth, which) => {
          const places = placesOf(value, shape, shapeOf);
          const place = places[nth % places.length];
          const wrongs = wrongValues(place?.shape ?? shape);
          fc.pre(place !== undefined && wrongs.length > 0);
          const wrong = replaceAt(value, place.path, wrongs[which % wrongs.length]);
          expect(inSchema(wrong)).toBe(false);
          expect(closed.safeParse(wrong).success).toBe(false);
          const rejection = { name: "DecodeError", path: formatPath(place.path) };
          expect(() => decode(wrong)).toThrow(expect.objectContaining(rejection) as Error);
        }),
        { numRuns: 120 },
      );
    });
  },
);
