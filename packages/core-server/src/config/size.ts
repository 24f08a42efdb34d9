const SIZE_UNITS = {
  "": 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** Bytes of a size such as `500GB`, `64GiB` or plain bytes; null for anything else, and for nothing. */
export function parseSize(text: string): number | null {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?$/iu.exec(text) ?? [];
  if (number === undefined) return null;
  const bytes = Math.round(Number(number) * SIZE_UNITS[unit.toLowerCase() as keyof typeof SIZE_UNITS]);
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}
