import type { z } from "zod";
import { shapesFromTypeScript } from "../contract/shape-from-typescript.js";
import { type FieldShape, formatShape, type Shape } from "../contract/shape.js";
import { commandSpec, type CommandSpec, type FieldSpec, specKeys } from "./command-spec.js";
import { type CommandModel, referencesOf, toCamelCase } from "./contract-model.js";
import { type JsonSource, JsonSyntaxError, parseJsonSource } from "./json-source.js";
import { nearestName } from "./nearest-name.js";

/** One mistake in a spec; as text `file:line:column: got ..., expected ...; did you mean ...?`. */
export interface SpecProblem {
  readonly file: string;
  /** `line:column`, from 1. */
  readonly position: string;
  readonly got: string;
  readonly expected: string;
  readonly nearest: string | null;
}

/** A spec that was read, or everything that is wrong with it. */
export type SpecReading =
  | { readonly ok: true; readonly command: CommandModel }
  | { readonly ok: false; readonly problems: readonly SpecProblem[] };

const primitives = ["string", "number", "boolean", "null", "unknown", "object", "array", "any"];

/** Reads one spec of either age. `typeNames` are the wire types that it may use. */
export function readCommandSpec(file: string, text: string, typeNames: ReadonlySet<string>): SpecReading {
  let source: JsonSource;
  try {
    source = parseJsonSource(file, text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return {
      ok: false,
      problems: [{ file, position: error.position, got: error.message, expected: "JSON", nearest: null }],
    };
  }
  const problems: SpecProblem[] = [];
  const report = (
    path: readonly PropertyKey[],
    got: unknown,
    expected: string,
    nearest: string | null = null,
  ): void => {
    problems.push({ file, position: source.locate(path), got: describe(got), expected, nearest });
  };
  const parsed = commandSpec.safeParse(source.value);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reportIssue(issue, source.value, report);
    return { ok: false, problems };
  }
  const command = toCommand(file, parsed.data, typeNames, report);
  return problems.length > 0 ? { ok: false, problems } : { ok: true, command };
}

/** The problem as a line. */
export function formatSpecProblem({ file, position, got, expected, nearest }: SpecProblem): string {
  return `${file}:${position}: got ${got}, expected ${expected}${nearest === null ? "" : `; did you mean ${nearest}?`}`;
}

type Report = (path: readonly PropertyKey[], got: unknown, expected: string, nearest?: string | null) => void;

function reportIssue(issue: z.core.$ZodIssue, root: unknown, report: Report): void {
  const got = valueAt(root, issue.path);
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys)
      report(
        [...issue.path, key],
        `the key ${JSON.stringify(key)}`,
        "a key of a command spec",
        nearestName(key, specKeys),
      );
  } else if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    report(
      issue.path,
      got,
      values.map((v) => JSON.stringify(v)).join(" or "),
      typeof got === "string" ? nearestName(got, values) : null,
    );
  } else if (issue.code === "invalid_type") {
    const what =
      issue.path.length === 0
        ? "a command spec, an object"
        : `${describePath(issue.path)}: ${issue.expected}`;
    report(issue.path, got, what);
  } else {
    report(issue.path, got, `${describePath(issue.path)}: ${issue.message}`);
  }
}

function toCommand(
  file: string,
  spec: CommandSpec,
  typeNames: ReadonlySet<string>,
  report: Report,
): CommandModel {
  const params = toFields("params", spec.params, typeNames, report);
  const results = toFields("results", spec.results, typeNames, report);
  params.forEach(({ name }, i) => {
    if (name === "command" || name === "requestId")
      report(["params", i, "name"], name, "a name that the protocol doesn't use itself");
  });
  const replied = results.filter(({ name }) => name !== "success");
  const only = replied.length === 1 ? replied[0] : undefined;
  return {
    name: spec.name,
    description: spec.description,
    params,
    results,
    wholeReply: only?.shape.kind === "ref" ? only : null,
    examples: spec.examples.map((example) => toExample(spec.name, example)),
    accessLevel: spec.accessLevel,
    idempotent: spec.idempotent,
    method: spec.method ?? toCamelCase(spec.name.slice(spec.name.lastIndexOf("/") + 1)),
    serverCommand: spec.serverCommand,
    source: file,
  };
}

/** Examples of the older command line (`./jtag a/b --x=1`) stay as they are: they are shown, never run. */
function toExample(name: string, example: CommandSpec["examples"][number]): CommandModel["examples"][number] {
  if (typeof example === "string") return { description: "", command: example, expectedResult: null };
  const { description, expectedResult } = example;
  // Some specs give the parameters of an example rather than a command line.
  const command =
    typeof example.command === "string"
      ? example.command
      : `continuum call ${name} --params '${JSON.stringify(example.params).replaceAll("'", "'\\''")}'`;
  const expected = typeof expectedResult === "string" ? expectedResult : JSON.stringify(expectedResult);
  return { description, command, expectedResult: expectedResult === undefined ? null : expected };
}

function toFields(
  list: "params" | "results",
  fields: readonly FieldSpec[],
  typeNames: ReadonlySet<string>,
  report: Report,
): readonly FieldShape[] {
  const seen = new Set<string>();
  return fields.map((field, i) => {
    const at = [list, i];
    if (seen.has(field.name)) report([...at, "name"], field.name, "a name that wasn't used before");
    seen.add(field.name);
    if (field.required !== undefined && field.optional !== undefined && field.required === field.optional) {
      report([...at, "optional"], field.optional, `the opposite of "required", or nothing`);
    }
    return {
      name: field.name,
      optional: !(field.required ?? !(field.optional ?? false)),
      shape: toFieldShape([...at, "type"], field.type, typeNames, report),
      doc: field.description,
    };
  });
}

/** A type in TypeScript's notation; `object`, `array` and `any` are the older specs' words for what isn't described. */
function toFieldShape(
  at: readonly PropertyKey[],
  type: string,
  typeNames: ReadonlySet<string>,
  report: Report,
): Shape {
  const expected = "a primitive, T[], a union of strings, Record<string, T> or a wire type";
  const notation = type === "array" ? "unknown[]" : type;
  const [named, ...more] = shapesFromTypeScript("spec.ts", `export type T = ${notation};`);
  if (named === undefined || more.length > 0 || formatShape(named.shape).includes("unreadable: ")) {
    report(at, type, expected);
    return { kind: "null" };
  }
  const missing = referencesOf(named.shape).find((name) => !typeNames.has(name));
  if (missing !== undefined)
    report(at, missing, expected, nearestName(missing, [...typeNames, ...primitives]));
  return named.shape;
}

function describePath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === "number" ? `${text}[${part}]` : text === "" ? String(part) : `${text}.${String(part)}`,
    "",
  );
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = typeof value === "string" && value.startsWith("the key ") ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined,
    root,
  );
}
