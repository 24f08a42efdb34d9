import { posix } from "node:path";
import type { NamedShape, Shape } from "./shape.js";
import { toUnion } from "./shape.js";

/** The part of JSON Schema that the contract's schemas use. */
export interface ContractSchema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly const?: string | number | boolean | null;
  readonly enum?: readonly (string | number | boolean | null)[];
  readonly $ref?: string;
  readonly allOf?: readonly ContractSchema[];
  readonly oneOf?: readonly ContractSchema[];
  readonly anyOf?: readonly ContractSchema[];
  readonly properties?: Readonly<Record<string, ContractSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | ContractSchema;
  readonly items?: ContractSchema;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Reads one wire type's schema; `path` is its file below `schemas/`, e.g. `paging/PoolView.json`. */
export function namedShapeFromSchema(path: string, schema: ContractSchema): NamedShape {
  return {
    name: posix.basename(path, ".json"),
    folder: posix.dirname(path),
    doc: schema.description ?? "",
    shape: shapeFromSchema(schema),
  };
}

/** Reads a schema as a shape; a reference becomes the name of the file it points to. */
export function shapeFromSchema(schema: ContractSchema): Shape {
  if (schema.$ref !== undefined) return { kind: "ref", name: posix.basename(schema.$ref, ".json") };
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives !== undefined) return toUnion(alternatives.map(shapeFromSchema));
  const [wrapped] = schema.allOf ?? [];
  if (wrapped !== undefined && schema.allOf?.length === 1) return shapeFromSchema(wrapped);
  if (schema.const !== undefined) return toLiteral(schema.const);
  if (schema.enum !== undefined) return toUnion(schema.enum.map(toLiteral));
  if (typeof schema.type === "object")
    return toUnion(schema.type.map((type) => shapeFromSchema({ ...schema, type })));
  switch (schema.type) {
    case "string":
    case "boolean":
    case "null":
      return { kind: schema.type };
    case "integer":
    case "number":
      return {
        kind: "number",
        integer: schema.type === "integer",
        minimum: schema.minimum ?? null,
        maximum: schema.maximum ?? null,
      };
    case "array":
      return { kind: "array", items: shapeFromSchema(schema.items ?? {}) };
    case "object":
      return toObject(schema);
    default:
      return { kind: "unknown", text: JSON.stringify(schema) };
  }
}

function toLiteral(value: string | number | boolean | null): Shape {
  return value === null ? { kind: "null" } : { kind: "literal", value };
}

function toObject(schema: ContractSchema): Shape {
  if (schema.properties === undefined && typeof schema.additionalProperties === "object") {
    return { kind: "record", values: shapeFromSchema(schema.additionalProperties) };
  }
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => ({
    name,
    optional: !required.has(name),
    shape: shapeFromSchema(field),
    doc: field.description ?? "",
  }));
  return { kind: "object", fields };
}
