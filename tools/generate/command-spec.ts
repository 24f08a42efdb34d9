import { z } from "zod";
import { shapesFromTypeScript } from "../contract/shape-from-typescript.js";
import { type FieldShape, formatShape, type Shape } from "../contract/shape.js";
import { type CommandModel, referencesOf, toCamelCase } from "./contract-model.js";
import { GenerateError } from "./generate-error.js";
import { nearestName } from "./nearest-name.js";

const fieldSpec = z.strictObject({
  name: z.string().regex(/^[A-Za-z_$][\w$]*$/, "an identifier"),
  type: z.string().min(1),
  description: z.string().default(""),
  required: z.boolean().optional(),
  optional: z.boolean().optional(),
});

const exampleSpec = z.union([
  z.string(),
  z.looseObject({
    description: z.string().default(""),
    command: z.string(),
    expectedResult: z.unknown().optional(),
  }),
]);

/** A command's spec as people write it; both ages: `required` or `optional`, examples as strings or objects. */
const commandSpec = z.strictObject({
  $schema: z.string().optional(),
  name: z.string().regex(/^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)*$/, "lower-case words joined by - and /"),
  description: z.string().min(1),
  params: z.array(fieldSpec).default([]),
  results: z.array(fieldSpec).default([]),
  examples: z.array(exampleSpec).default([]),
  accessLevel: z.enum(["public", "ai-safe", "admin-only"]).default("ai-safe"),
  idempotent: z.boolean().default(false),
  method: z
    .string()
    .regex(/^[a-z][A-Za-z0-9]*$/)
    .optional(),
  serverCommand: z.boolean().default(true),
});

/** Reads one spec; `typeNames` are the wire types that it may use. */
export function toCommandModel(file: string, json: unknown, typeNames: ReadonlySet<string>): CommandModel {
  const parsed = commandSpec.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new GenerateError(
      file,
      `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not a command spec"}`,
    );
  }
  const spec = parsed.data;
  const params = spec.params.map((field) =>
    toField(file, field, field.required ?? !(field.optional ?? false), typeNames),
  );
  const results = spec.results.map((field) =>
    toField(file, field, field.required ?? !(field.optional ?? false), typeNames),
  );
  for (const fields of [params, results]) refuseRepeated(file, fields);
  for (const reserved of params.filter(({ name }) => name === "command" || name === "requestId")) {
    throw new GenerateError(file, `the parameter ${reserved.name} is taken by the protocol: rename it`);
  }
  const replied = results.filter(({ name }) => name !== "success");
  const only = replied.length === 1 ? replied[0] : undefined;
  return {
    name: spec.name,
    description: spec.description,
    params,
    results,
    wholeReply: only?.shape.kind === "ref" ? only : null,
    examples: spec.examples.map((example) =>
      typeof example === "string"
        ? { description: "", command: example, expectedResult: null }
        : {
            description: example.description,
            command: example.command,
            expectedResult: example.expectedResult === undefined ? null : toText(example.expectedResult),
          },
    ),
    accessLevel: spec.accessLevel,
    idempotent: spec.idempotent,
    method: spec.method ?? toCamelCase(spec.name.slice(spec.name.lastIndexOf("/") + 1)),
    serverCommand: spec.serverCommand,
    source: file,
  };
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function refuseRepeated(file: string, fields: readonly FieldShape[]): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name)) throw new GenerateError(file, `${name} is declared twice`);
    seen.add(name);
  }
}

function toField(
  file: string,
  field: z.output<typeof fieldSpec>,
  required: boolean,
  typeNames: ReadonlySet<string>,
): FieldShape {
  const shape = parseType(file, field.name, field.type);
  const unknown = referencesOf(shape).find((name) => !typeNames.has(name));
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, [...typeNames, "string", "number", "boolean"]);
    const meant = nearest === null ? "" : `; did you mean ${nearest}?`;
    throw new GenerateError(file, `${field.name}: no wire type is called ${unknown}${meant}`);
  }
  return { name: field.name, optional: !required, shape, doc: field.description };
}

/** A spec's type is TypeScript's own notation; `object` and `array` are the older specs' words for any of them. */
function parseType(file: string, name: string, type: string): Shape {
  const [named] = shapesFromTypeScript(file, `export type T = ${type};`);
  if (named === undefined || unreadable(named.shape)) {
    throw new GenerateError(
      file,
      `${name}: can't read the type ${JSON.stringify(type)}: expected a primitive, T[], a string union, Record<string, T> or a wire type` +
        (named === undefined ? "" : ` (${formatShape(named.shape)})`),
    );
  }
  return named.shape;
}

function unreadable(shape: Shape): boolean {
  return formatShape(shape).includes("unreadable: ");
}
