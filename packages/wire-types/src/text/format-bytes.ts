const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Bytes in decimal units for a person: `8.2 GB`, `812.4 MB`, `0 B`. */
export function formatBytes(bytes: number): string {
  const { value, unit } = toUnit(bytes);
  return `${value} ${unit}`;
}

/** The same without the space, as the one-line alert writes it: `8.2GB`. */
export function formatBytesCompact(bytes: number): string {
  const { value, unit } = toUnit(bytes);
  return `${value}${unit}`;
}

function toUnit(bytes: number): { value: string; unit: string } {
  const size = Math.abs(bytes);
  // A unit is left as soon as its one-digit text would show 1000.0.
  let exponent = 0;
  while (exponent < units.length - 1 && size / 1000 ** exponent >= 999.95) exponent += 1;
  const value = bytes / 1000 ** exponent;
  return {
    value: exponent === 0 ? String(Math.round(value)) : value.toFixed(1),
    unit: units[exponent] ?? "B",
  };
}
