import type { FieldShape, NumberShape, Shape } from "../contract/shape.js";
import { tagOf } from "../contract/shape.js";

/**
 * Closed schemas refuse unknown keys: what this project sends. Open ones let them pass: what comes in. Stripped ones let
 * them pass too and leave them out: the parameters that a handler gets.
 */
export type Openness = "closed" | "open" | "stripped";

/** The zod expression of a shape; `schemaOf` names the schema of a referred type. */
export function emitZod(shape: Shape, openness: Openness, schemaOf: (name: string) => string): string {
  const nested = (of: Shape): string => emitZod(of, openness, schemaOf);
  switch (shape.kind) {
    case "number":
      return emitNumber(shape);
    case "string":
    case "boolean":
    case "null":
      return `z.${shape.kind}()`;
    case "any":
      return "z.unknown()";
    case "literal":
      return `z.literal(${JSON.stringify(shape.value)})`;
    case "array":
      return `z.array(${nested(shape.items)})`;
    case "record":
      return `z.record(z.string(), ${nested(shape.values)})`;
    case "tuple":
      return `z.tuple([${shape.items.map(nested).join(", ")}])`;
    case "object":
      return emitObject(shape.fields, openness, nested);
    case "union":
      return emitUnion(shape.members, nested);
    case "ref":
      return schemaOf(shape.name);
    case "bigint":
    case "unknown":
      throw new Error(`no validator can be written for ${shape.kind}`);
  }
}

/** zod's `int` is the safe integers, and `number` the finite numbers. */
function emitNumber(shape: NumberShape): string {
  const minimum = shape.minimum === null ? "" : `.min(${shape.minimum})`;
  const maximum =
    shape.maximum === null || shape.maximum === Number.MAX_SAFE_INTEGER ? "" : `.max(${shape.maximum})`;
  return `${shape.integer ? "z.int()" : "z.number()"}${minimum}${maximum}`;
}

/** An object with its fields, one a line. */
export function emitObject(
  fields: readonly FieldShape[],
  openness: Openness,
  nested: (shape: Shape) => string,
): string {
  const lines = fields.map(
    ({ name, optional, shape }) =>
      `  ${JSON.stringify(name)}: ${nested(shape)}${optional ? ".optional()" : ""},\n`,
  );
  const factory = { closed: "z.strictObject", open: "z.looseObject", stripped: "z.object" }[openness];
  return lines.length === 0 ? `${factory}({})` : `${factory}({\n${lines.join("")}})`;
}

function emitUnion(members: readonly Shape[], nested: (shape: Shape) => string): string {
  const rest = members.filter(({ kind }) => kind !== "null");
  const nullable = rest.length < members.length ? ".nullable()" : "";
  const [only] = rest;
  if (rest.length === 1 && only !== undefined) return `${nested(only)}${nullable}`;
  if (rest.every((member) => member.kind === "literal" && typeof member.value === "string")) {
    const values = rest.map((member) => (member.kind === "literal" ? JSON.stringify(member.value) : ""));
    return `z.enum([${values.join(", ")}])${nullable}`;
  }
  const list = rest.map(nested).join(", ");
  const tagged = rest.every((member) => tagOf(member) !== null);
  return `${tagged ? `z.discriminatedUnion("kind", [${list}])` : `z.union([${list}])`}${nullable}`;
}
