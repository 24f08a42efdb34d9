import type { FieldShape, NumberShape, Shape } from "../contract/shape.js";
import { tagOf } from "../contract/shape.js";

/** A property access as short as JavaScript allows. */
function access(value: string, name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `${value}.${name}` : `${value}[${JSON.stringify(name)}]`;
}

/**
 * A boolean expression that is true exactly for the values of a shape: plain checks without allocation, which cost a
 * fraction of parsing the value. Unknown keys pass. It says nothing of what is wrong; the zod schema does that.
 */
export function emitGuard(shape: Shape, value: string, guardOf: (name: string) => string, depth = 0): string {
  switch (shape.kind) {
    case "number":
      return emitNumber(shape, value);
    case "string":
    case "boolean":
      return `typeof ${value} === "${shape.kind}"`;
    case "null":
      return `${value} === null`;
    case "any":
      return `${value} !== undefined`;
    case "literal":
      return `${value} === ${JSON.stringify(shape.value)}`;
    case "array":
      return `Array.isArray(${value}) && ${value}.every((v${depth}: Loose) => ${emitGuard(shape.items, `v${depth}`, guardOf, depth + 1)})`;
    case "record":
      return `isObject(${value}) && Object.values(${value}).every((v${depth}: Loose) => ${emitGuard(shape.values, `v${depth}`, guardOf, depth + 1)})`;
    case "object":
      return emitObject(shape.fields, value, guardOf, depth);
    case "union":
      return emitUnion(shape.members, value, guardOf, depth);
    case "ref":
      return `${guardOf(shape.name)}(${value})`;
    case "tuple":
      return `Array.isArray(${value}) && ${value}.length === ${shape.items.length}${shape.items
        .map((item, i) => ` && (${emitGuard(item, `${value}[${i}]`, guardOf, depth)})`)
        .join("")}`;
    case "bigint":
    case "unknown":
      throw new Error(`no guard can be written for ${shape.kind}`);
  }
}

function emitNumber({ integer, minimum, maximum }: NumberShape, value: string): string {
  const kind = integer ? `Number.isSafeInteger(${value})` : `Number.isFinite(${value})`;
  const low = minimum === null ? "" : ` && ${value} >= ${minimum}`;
  const high =
    maximum === null || (integer && maximum === Number.MAX_SAFE_INTEGER) ? "" : ` && ${value} <= ${maximum}`;
  return `${kind}${low}${high}`;
}

function emitObject(
  fields: readonly FieldShape[],
  value: string,
  guardOf: (name: string) => string,
  depth: number,
): string {
  const checks = fields.map(({ name, optional, shape }) => {
    const field = access(value, name);
    const check = emitGuard(shape, field, guardOf, depth);
    if (optional) return `(${field} === undefined || (${check}))`;
    return shape.kind === "union" ? `(${check})` : check;
  });
  return [`isObject(${value})`, ...checks].join(" && ");
}

/** Tagged variants are told apart by their tag first: the tag is each variant's first check. */
function emitUnion(
  members: readonly Shape[],
  value: string,
  guardOf: (name: string) => string,
  depth: number,
): string {
  const [first] = members;
  if (first !== undefined && members.every((member) => tagOf(member) !== null)) {
    const variants = members.map((member) =>
      member.kind === "object"
        ? `(${emitObject(member.fields, value, guardOf, depth).replace(`isObject(${value}) && `, "")})`
        : "",
    );
    return `isObject(${value}) && (${variants.join(" || ")})`;
  }
  return members.map((member) => `(${emitGuard(member, value, guardOf, depth)})`).join(" || ");
}
