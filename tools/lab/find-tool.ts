import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** The distribution's own directories come first: another client further up on PATH may not fit the engine. */
const SYSTEM_DIRS = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/** The path of a program, the distribution's before any other on PATH; null when there is none. */
export function findTool(name: string, pathVariable = process.env["PATH"] ?? ""): string | null {
  for (const dir of [...SYSTEM_DIRS, ...pathVariable.split(":").filter((entry) => entry !== "")]) {
    const candidate = join(dir, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here: the next directory.
    }
  }
  return null;
}
