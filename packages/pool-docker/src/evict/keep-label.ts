/** A label that keeps what bears it: its key, and its value or null for any value. */
export interface KeepLabel {
  readonly key: string;
  readonly value: string | null;
}

/** Reads `key=value` or `key`. */
export function parseKeepLabel(text: string): KeepLabel {
  const equals = text.indexOf("=");
  return equals < 0
    ? { key: text, value: null }
    : { key: text.slice(0, equals), value: text.slice(equals + 1) };
}

/** Whether labels say that their bearer is kept. */
export function hasKeepLabel(labels: Readonly<Record<string, string>>, { key, value }: KeepLabel): boolean {
  return Object.hasOwn(labels, key) && (value === null || labels[key] === value);
}
