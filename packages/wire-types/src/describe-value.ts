const maxLength = 80;

/** A value for an error's text: its JSON where it has one, cut to a bounded length, never throwing. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number" || value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return cut(JSON.stringify(value.slice(0, maxLength)));
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object") return cut(`an object with ${describeKeys(value) || "no keys"}`);
  return `a ${typeof value}`;
}

/** The first keys, quoted where they are no identifiers: they come from the peer. */
function describeKeys(value: object): string {
  const keys = Object.keys(value).slice(0, 8);
  return keys
    .map((key) => key.slice(0, maxLength))
    .map((key) => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)))
    .join(", ");
}

function cut(text: string): string {
  return text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
}
