import { UsageError } from "./usage-error.js";

/** Reads `--params`; throws a UsageError that names the position for what isn't JSON, and for what is no object. */
export function parseParams(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const position = toPosition(text, (error as Error).message);
    const at = position < text.length ? `unexpected ${JSON.stringify(text[position])}` : "it ends too early";
    throw new UsageError(`--params isn't JSON: ${at} at position ${position}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`--params must be a JSON object, like '{"topN":3}'`);
  }
  for (const key of ["command", "requestId"]) {
    if (Object.hasOwn(value, key))
      throw new UsageError(`--params can't hold ${key}: it is part of every request`);
  }
  return value as Record<string, unknown>;
}

/** Where the text stops being JSON. Node names the place in most messages, but not for an unexpected token. */
function toPosition(text: string, message: string): number {
  const named = /at position (\d+)/u.exec(message)?.[1];
  if (named !== undefined) return Number(named);
  if (!message.startsWith("Unexpected token")) return text.length;
  // The shortest beginning that has the same fault ends with it.
  let sound = 0;
  let faulty = text.length;
  while (faulty - sound > 1) {
    const middle = Math.floor((sound + faulty) / 2);
    if (hasUnexpectedToken(text.slice(0, middle))) faulty = middle;
    else sound = middle;
  }
  return faulty - 1;
}

function hasUnexpectedToken(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return (error as Error).message.startsWith("Unexpected token");
  }
}
