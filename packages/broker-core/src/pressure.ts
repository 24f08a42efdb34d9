export { toPressureTier } from "@continuum/wire-types";

/** `used / capacity`, never clamped: a broken cap stays visible. 0 when the capacity is 0; always finite. */
export function toPressure(usedBytes: number, capacityBytes: number): number {
  if (!(capacityBytes > 0)) return 0;
  const pressure = usedBytes / capacityBytes;
  return Number.isFinite(pressure) ? pressure : 0;
}

/** The pressure that decides, and of what it is. */
export interface BindingPressure {
  readonly binds: "bytes" | "inodes";
  readonly pressure: number;
}

/** The higher of a reading's two pressures: a filesystem without a free inode is full, however many bytes it has. */
export function toBindingPressure({
  pressure,
  inodes,
}: {
  readonly pressure: number;
  readonly inodes?: { readonly usedInodes: number; readonly capacityInodes: number } | null;
}): BindingPressure {
  const ofInodes = inodes ? toPressure(inodes.usedInodes, inodes.capacityInodes) : 0;
  return ofInodes > pressure ? { binds: "inodes", pressure: ofInodes } : { binds: "bytes", pressure };
}
