import * as wireTypes from "@continuum/wire-types";

type Decoder = (value: unknown) => unknown;

/**
 * Holds a value against a pattern of JSON; null when it fits, otherwise what doesn't, with its path.
 *
 * An object fits when every key of the pattern fits: other keys may be there, as a newer core adds them. An array fits
 * element by element. An object with one key that begins with `$` is an operator: `$any`, `$absent`, `$type` (a wire
 * type's name), `$kind` (what `typeof` says, or `null`, `array`), `$contains` (text), `$oneOf` (patterns).
 */
export function matchPattern(pattern: unknown, value: unknown, path = ""): string | null {
  const operator = operatorOf(pattern);
  if (operator !== null) return matchOperator(operator.name, operator.argument, value, path);
  if (Array.isArray(pattern)) return matchArray(pattern, value, path);
  if (typeof pattern === "object" && pattern !== null) {
    if (kindOf(value) !== "object") return differs(path, "an object", value);
    for (const [key, expected] of Object.entries(pattern)) {
      const own = Object.hasOwn(value as object, key) ? (value as Record<string, unknown>)[key] : undefined;
      const problem = matchPattern(expected, own, path === "" ? key : `${path}.${key}`);
      if (problem !== null) return problem;
    }
    return null;
  }
  return Object.is(pattern, value) ? null : differs(path, JSON.stringify(pattern), value);
}

function operatorOf(pattern: unknown): { readonly name: string; readonly argument: unknown } | null {
  if (typeof pattern !== "object" || pattern === null || Array.isArray(pattern)) return null;
  const [entry, ...more] = Object.entries(pattern);
  if (entry === undefined || more.length > 0 || !entry[0].startsWith("$")) return null;
  return { name: entry[0], argument: entry[1] };
}

function matchOperator(name: string, argument: unknown, value: unknown, path: string): string | null {
  switch (name) {
    case "$any":
      return value === undefined ? differs(path, "anything", value) : null;
    case "$absent":
      return value === undefined ? null : differs(path, "nothing", value);
    case "$kind":
      return kindOf(value) === argument ? null : differs(path, String(argument), value);
    case "$contains":
      return typeof value === "string" && value.includes(String(argument))
        ? null
        : differs(path, `text with ${JSON.stringify(argument)}`, value);
    case "$oneOf": {
      const problems = (argument as readonly unknown[]).map((each) => matchPattern(each, value, path));
      return problems.includes(null) ? null : problems.join(", and ");
    }
    case "$type":
      return matchType(String(argument), value, path);
    default:
      throw new Error(`a vector uses the operator ${name}, which doesn't exist`);
  }
}

function matchType(type: string, value: unknown, path: string): string | null {
  // A namespace has no index signature; what isn't a function is refused below.
  const decoders = wireTypes as unknown as Readonly<Record<string, unknown>>;
  const decode = decoders[`decode${type}`];
  if (typeof decode !== "function")
    throw new Error(`a vector names the wire type ${type}, which doesn't exist`);
  try {
    (decode as Decoder)(value);
    return null;
  } catch (error) {
    if (!(error instanceof wireTypes.DecodeError)) throw error;
    return `${path === "" ? "the value" : path} is no ${type}: ${error.message}`;
  }
}

function matchArray(pattern: readonly unknown[], value: unknown, path: string): string | null {
  if (!Array.isArray(value)) return differs(path, "an array", value);
  if (value.length !== pattern.length) return differs(path, `${pattern.length} elements`, value);
  for (const [i, expected] of pattern.entries()) {
    const problem = matchPattern(expected, value[i], `${path}[${i}]`);
    if (problem !== null) return problem;
  }
  return null;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

/** How much of a value a message shows, in characters. */
const SHOWN = 200;

function differs(path: string, expected: string, value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  const got = text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
  return `${path === "" ? "the value" : path}: expected ${expected}, got ${got}`;
}
