import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

/** Makes a directory and those above it that are missing. Node's own, asked to be recursive, never ends below /proc. */
export function makeDirectories(directory: string, mode: number): void {
  if (makeOne(directory, mode) !== "parentMissing") return;
  const parent = dirname(directory);
  if (parent !== directory) makeDirectories(parent, mode);
  // Where the one above is there and this one still can't be made, it isn't possible at all.
  mkdirSync(directory, { mode });
}

function makeOne(directory: string, mode: number): "done" | "parentMissing" {
  try {
    mkdirSync(directory, { mode });
    return "done";
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    if (code === "EEXIST") return "done";
    if (code === "ENOENT") return "parentMissing";
    throw error;
  }
}
