const maxLength = 80;

/** A value for an error's text: its JSON where it has one, cut to a bounded length, never throwing. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number" || value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return cut(JSON.stringify(value.slice(0, maxLength)));
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object")
    return cut(`an object with ${Object.keys(value).slice(0, 8).join(", ") || "no keys"}`);
  return `a ${typeof value}`;
}

function cut(text: string): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}
