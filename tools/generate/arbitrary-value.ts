import fc from "fast-check";
import type { Shape } from "../contract/shape.js";

/** Any value of a shape, as JSON delivers it. */
export function arbitraryValue(shape: Shape, shapeOf: (name: string) => Shape): fc.Arbitrary<unknown> {
  const nested = (of: Shape): fc.Arbitrary<unknown> => arbitraryValue(of, shapeOf);
  switch (shape.kind) {
    case "number": {
      const min = shape.minimum ?? -1e15;
      const max = shape.maximum ?? 1e15;
      return shape.integer
        ? fc.integer({
            min: Math.max(min, Number.MIN_SAFE_INTEGER),
            max: Math.min(max, Number.MAX_SAFE_INTEGER),
          })
        : // -0 becomes 0 in JSON.
          fc.double({ min, max, noNaN: true }).map((value) => value + 0);
    }
    case "string":
      return fc.string({ unit: "grapheme" });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "any":
      return fc.constantFrom(null, 1, "x");
    case "literal":
      return fc.constant(shape.value);
    case "array":
      return fc.array(nested(shape.items), { maxLength: 4 });
    case "record":
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 5 }), nested(shape.values), { maxKeys: 3 });
    case "tuple":
      return fc.tuple(...shape.items.map(nested));
    case "object":
      return fc.record(Object.fromEntries(shape.fields.map((field) => [field.name, nested(field.shape)])), {
        requiredKeys: shape.fields.filter(({ optional }) => !optional).map(({ name }) => name),
      });
    case "union":
      return fc.oneof(...shape.members.map(nested));
    case "ref":
      return nested(shapeOf(shape.name));
    case "bigint":
    case "unknown":
      throw new Error(`there is no value of ${shape.kind}`);
  }
}

/** One place in a value, with what belongs there. */
export interface Place {
  readonly path: readonly (string | number)[];
  readonly shape: Shape;
}

/** Every place of a value, the value itself first. */
export function placesOf(
  value: unknown,
  shape: Shape,
  shapeOf: (name: string) => Shape,
  path: Place["path"] = [],
): readonly Place[] {
  if (shape.kind === "ref") return placesOf(value, shapeOf(shape.name), shapeOf, path);
  const here: Place = { path, shape };
  if (shape.kind === "array" && Array.isArray(value)) {
    return [here, ...value.flatMap((item, i) => placesOf(item, shape.items, shapeOf, [...path, i]))];
  }
  if (shape.kind === "object" && typeof value === "object" && value !== null) {
    const fields = shape.fields.filter(({ name }) => Object.hasOwn(value, name));
    return [
      here,
      ...fields.flatMap((f) =>
        placesOf((value as Record<string, unknown>)[f.name], f.shape, shapeOf, [...path, f.name]),
      ),
    ];
  }
  return [here];
}

/** Values that never belong where the shape stands, each wrong in its own way. */
export function wrongValues(shape: Shape): readonly unknown[] {
  const nullable = shape.kind === "union" && shape.members.some(({ kind }) => kind === "null");
  const always = [[[]], ...(nullable || shape.kind === "null" ? [] : [null])];
  switch (shape.kind) {
    case "number":
      return [
        ...always,
        "1",
        true,
        ...(shape.integer ? [0.5, 2 ** 53] : []),
        ...(shape.minimum === null ? [] : [shape.minimum - 1]),
      ];
    case "string":
      return [...always, 7, false];
    case "boolean":
      return [...always, 0, "true"];
    case "literal":
      return [...always, `${String(shape.value)}?`, 7];
    case "array":
      return [null, "x", 7, { 0: "x" }];
    case "object":
      return [null, "x", 7, []];
    default:
      return always;
  }
}
