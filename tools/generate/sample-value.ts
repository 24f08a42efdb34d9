import type { FieldShape, Shape } from "../contract/shape.js";

/** A value of a shape, the same every time: for generated tests and examples. `shapeOf` gives a referred type's shape. */
function sampleValue(shape: Shape, shapeOf: (name: string) => Shape): unknown {
  switch (shape.kind) {
    case "number":
      return Math.max(shape.minimum ?? 1, Math.min(1, shape.maximum ?? 1));
    case "string":
      return "text";
    case "boolean":
      return true;
    case "null":
    case "any":
      return null;
    case "literal":
      return shape.value;
    case "array":
      return [sampleValue(shape.items, shapeOf)];
    case "record":
      return { key: sampleValue(shape.values, shapeOf) };
    case "tuple":
      return shape.items.map((item) => sampleValue(item, shapeOf));
    case "object":
      return sampleObject(shape.fields, shapeOf);
    case "union":
      return shape.members[0] === undefined ? null : sampleValue(shape.members[0], shapeOf);
    case "ref":
      return sampleValue(shapeOf(shape.name), shapeOf);
    case "bigint":
    case "unknown":
      throw new Error(`there is no sample of ${shape.kind}`);
  }
}

/** An object with every field, the optional ones too. */
export function sampleObject(
  fields: readonly FieldShape[],
  shapeOf: (name: string) => Shape,
): Record<string, unknown> {
  return Object.fromEntries(fields.map(({ name, shape }) => [name, sampleValue(shape, shapeOf)]));
}
