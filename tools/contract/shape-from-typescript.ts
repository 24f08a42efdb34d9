import ts from "typescript";
import { type FieldShape, type NamedShape, plainNumber, type Shape, toUnion } from "./shape.js";

/**
 * Reads the exported type aliases and interfaces of one TypeScript file, as ts-rs 10 to 12 writes them:
 * parsed by the compiler, without resolving imports (a reference stays a name).
 */
export function shapesFromTypeScript(fileName: string, text: string, folder = ""): readonly NamedShape[] {
  const source = ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const named: NamedShape[] = [];
  for (const statement of source.statements) {
    if (!isExported(statement)) continue;
    if (ts.isTypeAliasDeclaration(statement)) {
      named.push({
        name: statement.name.text,
        folder,
        doc: docOf(statement),
        shape: toShape(statement.type),
      });
    } else if (ts.isInterfaceDeclaration(statement)) {
      const shape: Shape = { kind: "object", fields: statement.members.flatMap(toFields) };
      named.push({ name: statement.name.text, folder, doc: docOf(statement), shape });
    }
  }
  return named;
}

function isExported(node: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(node) &&
    (ts.getModifiers(node) ?? []).some((m) => m.kind === ts.SyntaxKind.ExportKeyword)
  );
}

function docOf(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .filter(ts.isJSDoc)
    .map((doc) => ts.getTextOfJSDocComment(doc.comment) ?? "")
    .join("\n")
    .trim();
}

function toFields(member: ts.TypeElement): readonly FieldShape[] {
  if (!ts.isPropertySignature(member)) {
    return [
      {
        name: member.getText(),
        optional: false,
        shape: { kind: "unknown", text: member.getText() },
        doc: "",
      },
    ];
  }
  const name =
    ts.isIdentifier(member.name) || ts.isStringLiteral(member.name)
      ? member.name.text
      : member.name.getText();
  const shape: Shape =
    member.type === undefined ? { kind: "unknown", text: "no type" } : toShape(member.type);
  return [{ name, optional: member.questionToken !== undefined, shape, doc: docOf(member) }];
}

function toShape(node: ts.TypeNode): Shape {
  switch (node.kind) {
    case ts.SyntaxKind.StringKeyword:
      return { kind: "string" };
    case ts.SyntaxKind.NumberKeyword:
      return plainNumber;
    case ts.SyntaxKind.BigIntKeyword:
      return { kind: "bigint" };
    case ts.SyntaxKind.BooleanKeyword:
      return { kind: "boolean" };
    case ts.SyntaxKind.UnknownKeyword:
    case ts.SyntaxKind.AnyKeyword:
      return { kind: "any" };
    case ts.SyntaxKind.ObjectKeyword:
      return { kind: "record", values: { kind: "any" } };
    default:
  }
  if (ts.isParenthesizedTypeNode(node)) return toShape(node.type);
  if (ts.isTypeOperatorNode(node) && node.operator === ts.SyntaxKind.ReadonlyKeyword)
    return toShape(node.type);
  if (ts.isLiteralTypeNode(node)) return literalToShape(node);
  if (ts.isArrayTypeNode(node)) return { kind: "array", items: toShape(node.elementType) };
  if (ts.isTupleTypeNode(node)) return { kind: "tuple", items: node.elements.map(toShape) };
  if (ts.isTypeLiteralNode(node)) return typeLiteralToShape(node);
  if (ts.isUnionTypeNode(node)) return toUnion(node.types.map(toShape));
  if (ts.isIntersectionTypeNode(node)) return intersectionToShape(node);
  if (ts.isMappedTypeNode(node) && node.type !== undefined)
    return { kind: "record", values: toShape(node.type) };
  if (ts.isTypeReferenceNode(node)) return referenceToShape(node);
  return { kind: "unknown", text: node.getText() };
}

function literalToShape(node: ts.LiteralTypeNode): Shape {
  const { literal } = node;
  if (literal.kind === ts.SyntaxKind.NullKeyword) return { kind: "null" };
  if (literal.kind === ts.SyntaxKind.TrueKeyword) return { kind: "literal", value: true };
  if (literal.kind === ts.SyntaxKind.FalseKeyword) return { kind: "literal", value: false };
  if (ts.isStringLiteral(literal)) return { kind: "literal", value: literal.text };
  if (ts.isNumericLiteral(literal)) return { kind: "literal", value: Number(literal.text) };
  return { kind: "unknown", text: node.getText() };
}

/** `{ [key: string]: T }` is a record; everything else an object. */
function typeLiteralToShape(node: ts.TypeLiteralNode): Shape {
  const only = node.members[0];
  if (node.members.length === 1 && only !== undefined && ts.isIndexSignatureDeclaration(only)) {
    return { kind: "record", values: toShape(only.type) };
  }
  return { kind: "object", fields: node.members.flatMap(toFields) };
}

/** ts-rs writes a flattened struct as an intersection of object types. */
function intersectionToShape(node: ts.IntersectionTypeNode): Shape {
  const parts = node.types.map(toShape);
  const fields = parts.flatMap((part) => (part.kind === "object" ? part.fields : []));
  return parts.every((part) => part.kind === "object")
    ? { kind: "object", fields }
    : { kind: "unknown", text: node.getText() };
}

function referenceToShape(node: ts.TypeReferenceNode): Shape {
  const name = node.typeName.getText();
  const [first, second] = node.typeArguments ?? [];
  if ((name === "Array" || name === "ReadonlyArray") && first !== undefined)
    return { kind: "array", items: toShape(first) };
  if (name === "Record" && second !== undefined) return { kind: "record", values: toShape(second) };
  if (node.typeArguments !== undefined) return { kind: "unknown", text: node.getText() };
  return { kind: "ref", name };
}
