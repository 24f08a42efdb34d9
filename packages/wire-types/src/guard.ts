/** A value of which nothing is known, as generated guards take it: any property may be asked for, none is trusted. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the guards are generated; asking is all they do
export type Loose = any;

/** Whether a value is an object with keys, not an array and not null. */
export function isObject(value: Loose): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
