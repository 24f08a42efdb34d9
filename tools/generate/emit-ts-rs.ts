import type { FieldShape, NamedShape, Shape } from "../contract/shape.js";
import { tagOf } from "../contract/shape.js";
import { referencesOf } from "./contract-model.js";

/** A shape as ts-rs 12 writes it, on one line but for documented fields. */
export function emitShape(shape: Shape, docs = true): string {
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
      return `Array<${emitShape(shape.items, docs)}>`;
    case "record":
      return `{ [key in string]: ${emitShape(shape.values, docs)} }`;
    case "tuple":
      return `[${shape.items.map((item) => emitShape(item, docs)).join(", ")}]`;
    case "object":
      return emitObject(shape.fields, tagOf(shape) !== null, docs);
    case "union":
      return shape.members.map((member) => emitShape(member, docs)).join(" | ");
    case "ref":
      return shape.name;
    case "unknown":
      throw new Error(`a shape that wasn't understood can't be written: ${shape.text}`);
  }
}

function emitObject(fields: readonly FieldShape[], tagged: boolean, docs: boolean): string {
  const parts = fields.map((field, i) => {
    // Only a tag's name is quoted, and what is no identifier.
    const name =
      (tagged && i === 0) || !/^[A-Za-z_$][\w$]*$/.test(field.name) ? JSON.stringify(field.name) : field.name;
    const doc = docs && field.doc !== "" ? `\n${emitDoc(field.doc)}\n` : "";
    return `${doc}${name}${field.optional ? "?" : ""}: ${emitShape(field.shape, docs)}, `;
  });
  return `{ ${parts.join("")}}`;
}

/** A JSDoc block; an empty line of the text is ` *`. */
export function emitDoc(text: string): string {
  const lines = text.replaceAll("*/", "*\\/").split("\n");
  return ["/**", ...lines.map((line) => (line === "" ? " *" : ` * ${line}`)), " */"].join("\n");
}

/** `import type` lines for the types that a file in `folder` refers to, sorted, then a blank line; "" without any. */
function emitImports(names: readonly string[], folder: string, folderOf: (name: string) => string): string {
  if (names.length === 0) return "";
  const lines = names.map((name) => {
    const other = folderOf(name);
    return `import type { ${name} } from "${other === folder ? "./" : `../${other}/`}${name}";\n`;
  });
  return `${lines.join("")}\n`;
}

/** The text of one wire type's file below its first line, byte for byte what ts-rs 12 writes. */
export function emitTsRs(type: NamedShape, folderOf: (name: string) => string): string {
  const names = referencesOf(type.shape).filter((name) => name !== type.name);
  const doc = type.doc === "" ? "" : `${emitDoc(type.doc)}\n`;
  return `${emitImports(names, type.folder, folderOf)}${doc}export type ${type.name} = ${emitShape(type.shape)};\n`;
}
