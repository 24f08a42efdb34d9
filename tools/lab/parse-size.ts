import { DockerLabError } from "./docker-lab-error.js";

const UNITS = new Map<string, number>([
  ["", 1],
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["k", 2 ** 10],
  ["kib", 2 ** 10],
  ["m", 2 ** 20],
  ["mib", 2 ** 20],
  ["g", 2 ** 30],
  ["gib", 2 ** 30],
]);

/** Bytes of a size as people write it: `1GiB`, `512M` (binary), `1.5GB` (decimal), `1048576`. Throws for anything else. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = UNITS.get(match?.[2]?.toLowerCase() ?? "");
  if (match === null || unit === undefined) {
    throw new DockerLabError("invalid", `"${text}" is not a size: write it as 1GiB, 512M, 1.5GB or in bytes`);
  }
  return Math.round(Number(match[1]) * unit);
}
