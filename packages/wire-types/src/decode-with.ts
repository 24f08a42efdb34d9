import type { z } from "zod";
import { DecodeError } from "./decode-error.js";
import { describeValue } from "./describe-value.js";

type Path = readonly PropertyKey[];

/** Checks a value with a zod schema; throws a DecodeError for the first thing that is wrong. */
export function decodeWith<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue === undefined) throw new DecodeError("", "a value of the contract", describeValue(value));
  throw toDecodeError(issue, value);
}

function toDecodeError(issue: z.core.$ZodIssue, root: unknown): DecodeError {
  if (issue.code === "unrecognized_keys") {
    const path: Path = [...issue.path, ...issue.keys.slice(0, 1)];
    return new DecodeError(formatPath(path), "no such key", describeValue(valueAt(root, path)));
  }
  const { path, expected } = expectation(issue);
  return new DecodeError(formatPath(path), expected, describeValue(valueAt(root, path)));
}

function expectation(issue: z.core.$ZodIssue): { path: Path; expected: string } {
  const { path } = issue;
  switch (issue.code) {
    case "invalid_type":
      return { path, expected: describeType(issue.expected, issue) };
    case "invalid_value":
      return { path, expected: issue.values.map((value) => JSON.stringify(value)).join(" or ") };
    case "too_small":
      return { path, expected: `at least ${String(issue.minimum)}` };
    case "too_big":
      return {
        path,
        expected: issue.origin === "int" ? "a safe integer" : `at most ${String(issue.maximum)}`,
      };
    case "invalid_union": {
      const discriminator =
        "discriminator" in issue && typeof issue.discriminator === "string" ? issue.discriminator : null;
      if (discriminator === null) return { path, expected: "one of the contract's alternatives" };
      const tagPath = path.at(-1) === discriminator ? path : [...path, discriminator];
      const options = "options" in issue && Array.isArray(issue.options) ? issue.options : [];
      return {
        path: tagPath,
        expected: options.length > 0 ? options.map((o) => JSON.stringify(o)).join(" or ") : "a known tag",
      };
    }
    default:
      return { path, expected: issue.message };
  }
}

function describeType(expected: string, issue: z.core.$ZodIssueInvalidType): string {
  if (expected === "int" || ("format" in issue && issue.format === "safeint")) return "an integer";
  if (expected === "object" || expected === "array") return `an ${expected}`;
  return `a ${expected}`;
}

/** Longest name that a path repeats: unknown keys come from the peer, and an error's text must stay small and on one line. */
const maxKeyLength = 60;

function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    const key = formatKey(String(part));
    return text === "" || key.startsWith("[") ? `${text}${key}` : `${text}.${key}`;
  }, "");
}

/** A key as a path shows it: as it is where it is an identifier, else quoted in brackets; cut to a bounded length. */
function formatKey(key: string): string {
  const cut = key.length > maxKeyLength ? `${key.slice(0, maxKeyLength)}…` : key;
  return /^[A-Za-z_$][\w$]*…?$/.test(cut) ? cut : `[${JSON.stringify(cut)}]`;
}

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, part)
        ? (value as Record<PropertyKey, unknown>)[part]
        : undefined,
    root,
  );
}
