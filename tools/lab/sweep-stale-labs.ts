import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { destroyLab } from "./destroy-lab.js";
import { isStaleLab } from "./lab-owner.js";

/** What every lab directory's name begins with. */
export const LAB_DIR_PREFIX = "continuum-lab-";

/** One lab whose owner is dead, and what of it could not be removed (nothing, as a rule). */
export interface SweptLab {
  readonly dir: string;
  readonly left: readonly string[];
}

/** Takes down the labs whose owner died without doing so (kill -9); those of living processes are left alone. */
export function sweepStaleLabs(parentDir = tmpdir()): SweptLab[] {
  return readdirSync(parentDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith(LAB_DIR_PREFIX))
    .map((entry) => join(parentDir, entry.name))
    .filter((dir) => isStaleLab(dir))
    .map((dir) => ({ dir, left: destroyLab(dir) }));
}
