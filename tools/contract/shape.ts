/** The bounds and the integrality of a number, where the schema states them. */
export interface NumberShape {
  readonly kind: "number";
  readonly integer: boolean;
  readonly minimum: number | null;
  readonly maximum: number | null;
}

/** One field of an object shape, in declaration order. */
export interface FieldShape {
  readonly name: string;
  readonly optional: boolean;
  readonly shape: Shape;
  readonly doc: string;
}

/**
 * A wire type as data, whichever language it was written in: what the contract tool compares.
 *
 * `bigint` occurs only on the side of a Rust export; `any` is any JSON value; `unknown` is a type that this tool can't read, and differs from all.
 */
export type Shape =
  | NumberShape
  | { readonly kind: "string" | "boolean" | "null" | "bigint" | "any" }
  | { readonly kind: "literal"; readonly value: string | number | boolean }
  | { readonly kind: "array"; readonly items: Shape }
  | { readonly kind: "record"; readonly values: Shape }
  | { readonly kind: "tuple"; readonly items: readonly Shape[] }
  | { readonly kind: "object"; readonly fields: readonly FieldShape[] }
  | { readonly kind: "union"; readonly members: readonly Shape[] }
  | { readonly kind: "ref"; readonly name: string }
  | { readonly kind: "unknown"; readonly text: string };

/** A named type of a contract and the folder it is exported to ("" when the layout is flat). */
export interface NamedShape {
  readonly name: string;
  readonly folder: string;
  readonly doc: string;
  readonly shape: Shape;
}

/** A number of which nothing is known but that it is one. */
export const plainNumber: NumberShape = { kind: "number", integer: false, minimum: null, maximum: null };

/** Makes a union, flat and without repetitions; one member alone is that member. */
export function toUnion(members: readonly Shape[]): Shape {
  const flat = members.flatMap((member) => (member.kind === "union" ? member.members : [member]));
  const seen = new Map(flat.map((member) => [formatShape(member), member]));
  const unique = [...seen.values()];
  const only = unique[0];
  return unique.length === 1 && only !== undefined ? only : { kind: "union", members: unique };
}

/** The shape as TypeScript writes it, on one line; a union's members sorted, so that equal texts mean equal types. */
export function formatShape(shape: Shape): string {
  switch (shape.kind) {
    case "number":
    case "string":
    case "boolean":
    case "null":
    case "bigint":
      return shape.kind;
    case "any":
      return "unknown";
    case "literal":
      return JSON.stringify(shape.value);
    case "array":
      return `Array<${formatShape(shape.items)}>`;
    case "record":
      return `Record<string, ${formatShape(shape.values)}>`;
    case "tuple":
      return `[${shape.items.map(formatShape).join(", ")}]`;
    case "object":
      return `{ ${shape.fields.map((f) => `${f.name}${f.optional ? "?" : ""}: ${formatShape(f.shape)}`).join(", ")} }`;
    case "union":
      return shape.members.map(formatShape).sort().join(" | ");
    case "ref":
      return shape.name;
    case "unknown":
      return `unreadable: ${shape.text}`;
  }
}

/** The tag of an internally tagged variant: its `kind`, or null when the shape has none. */
export function tagOf(shape: Shape, tag = "kind"): string | null {
  if (shape.kind !== "object") return null;
  const field = shape.fields.find((f) => f.name === tag);
  return field?.shape.kind === "literal" ? String(field.shape.value) : null;
}
