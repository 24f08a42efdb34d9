import { type FieldShape, formatShape, type NamedShape, plainNumber, type Shape, tagOf } from "./shape.js";

/** One place where two sides of a type say different things; `path` is "" for the type itself. */
export interface ShapeDifference {
  readonly path: string;
  readonly ours: string;
  readonly theirs: string;
}

/** How one type fared: `explained` holds what differs in text but not in meaning on the wire. */
export type TypeComparison =
  | { readonly verdict: "identical"; readonly name: string }
  | { readonly verdict: "explained"; readonly name: string; readonly why: readonly string[] }
  | { readonly verdict: "different"; readonly name: string; readonly differences: readonly ShapeDifference[] }
  | { readonly verdict: "onlyHere" | "onlyThere"; readonly name: string };

interface Findings {
  readonly differences: ShapeDifference[];
  readonly explained: Set<string>;
}

const absent = "(absent)";

/**
 * Holds this project's types against an export of the Rust core's, by name, whatever the folders.
 * `bigint` for a number and other doc texts are explained, not different: JSON delivers a number, and docs don't travel.
 */
export function compareContracts(
  ours: readonly NamedShape[],
  theirs: readonly NamedShape[],
): readonly TypeComparison[] {
  const theirsByName = new Map(theirs.map((type) => [type.name, type]));
  const oursByName = new Map(ours.map((type) => [type.name, type]));
  const names = [...new Set([...oursByName.keys(), ...theirsByName.keys()])].sort();
  return names.map((name): TypeComparison => {
    const here = oursByName.get(name);
    const there = theirsByName.get(name);
    if (here === undefined) return { verdict: "onlyThere", name };
    if (there === undefined) return { verdict: "onlyHere", name };
    return compareTypes(here, there);
  });
}

function compareTypes(here: NamedShape, there: NamedShape): TypeComparison {
  const findings: Findings = { differences: [], explained: new Set() };
  if (here.doc !== there.doc) findings.explained.add("doc text");
  compareShapes("", here.shape, there.shape, findings);
  const { name } = here;
  if (findings.differences.length > 0)
    return { verdict: "different", name, differences: findings.differences };
  if (findings.explained.size > 0) return { verdict: "explained", name, why: [...findings.explained].sort() };
  return { verdict: "identical", name };
}

function compareShapes(path: string, here: Shape, there: Shape, into: Findings): void {
  if (here.kind === "number" && there.kind === "bigint") into.explained.add("bigint for a number");
  else if (here.kind === "number" && there.kind === "number") return;
  else if (here.kind === "array" && there.kind === "array")
    compareShapes(`${path}[]`, here.items, there.items, into);
  else if (here.kind === "record" && there.kind === "record")
    compareShapes(`${path}{}`, here.values, there.values, into);
  else if (here.kind === "object" && there.kind === "object")
    compareFields(path, here.fields, there.fields, into);
  else if (here.kind === "union" && there.kind === "union")
    compareUnions(path, here.members, there.members, into);
  else if (here.kind === "union" && tagOf(there) !== null) compareUnions(path, here.members, [there], into);
  else if (tagOf(here) !== null && there.kind === "union") compareUnions(path, [here], there.members, into);
  else if (formatShape(here) !== formatShape(there)) {
    into.differences.push({ path, ours: formatShape(here), theirs: formatShape(there) });
  }
}

function compareFields(
  path: string,
  here: readonly FieldShape[],
  there: readonly FieldShape[],
  into: Findings,
): void {
  const theirs = new Map(there.map((field) => [field.name, field]));
  for (const field of here) {
    const at = path === "" ? field.name : `${path}.${field.name}`;
    const other = theirs.get(field.name);
    theirs.delete(field.name);
    if (other === undefined) {
      into.differences.push({ path: at, ours: formatField(field), theirs: absent });
      continue;
    }
    if (field.optional !== other.optional) {
      into.differences.push({ path: at, ours: formatField(field), theirs: formatField(other) });
    }
    if (field.doc !== other.doc) into.explained.add("doc text");
    compareShapes(at, field.shape, other.shape, into);
  }
  for (const field of theirs.values()) {
    into.differences.push({
      path: path === "" ? field.name : `${path}.${field.name}`,
      ours: absent,
      theirs: formatField(field),
    });
  }
  const order = (fields: readonly FieldShape[]): string => fields.map((field) => field.name).join();
  if (here.length === there.length && theirs.size === 0 && order(here) !== order(there))
    into.explained.add("field order");
}

/** Tagged variants are matched by their tag, everything else by what it is. */
function compareUnions(path: string, here: readonly Shape[], there: readonly Shape[], into: Findings): void {
  const keyOf = (shape: Shape): string => {
    const tag = tagOf(shape);
    return tag === null ? formatShape(withoutBigint(shape)) : `kind=${tag}`;
  };
  const theirs = new Map(there.map((member) => [keyOf(member), member]));
  for (const member of here) {
    const key = keyOf(member);
    const other = theirs.get(key);
    theirs.delete(key);
    const at = key.startsWith("kind=") ? `${path}<${key}>` : path;
    if (other === undefined) into.differences.push({ path: at, ours: formatShape(member), theirs: absent });
    else compareShapes(at, member, other, into);
  }
  for (const [key, member] of theirs) {
    into.differences.push({
      path: key.startsWith("kind=") ? `${path}<${key}>` : path,
      ours: absent,
      theirs: formatShape(member),
    });
  }
}

/** The shape as JSON delivers it: a `bigint` arrives as a number. */
function withoutBigint(shape: Shape): Shape {
  switch (shape.kind) {
    case "bigint":
      return plainNumber;
    case "array":
      return { kind: "array", items: withoutBigint(shape.items) };
    case "record":
      return { kind: "record", values: withoutBigint(shape.values) };
    case "tuple":
      return { kind: "tuple", items: shape.items.map(withoutBigint) };
    case "union":
      return { kind: "union", members: shape.members.map(withoutBigint) };
    case "object":
      return { kind: "object", fields: shape.fields.map((f) => ({ ...f, shape: withoutBigint(f.shape) })) };
    default:
      return shape;
  }
}

function formatField(field: FieldShape): string {
  return `${field.optional ? "optional " : ""}${formatShape(field.shape)}`;
}
