import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Drift } from "../generate/compare-files.js";

const generatedSpecs = /^packages\/wire-types\/src\/gen\/commands\/.*\.ts$/;

/** The names of the commands whose generated files have no spec any more; to be asked before they are removed. */
export async function removedCommands(
  workspace: string,
  drift: readonly Drift[],
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const { kind, path } of drift) {
    if (kind !== "orphan" || !generatedSpecs.test(path)) continue;
    const [, name] = /^ {2}name: "([^"]+)",$/m.exec(await readFile(join(workspace, path), "utf8")) ?? [];
    if (name !== undefined) names.push(name);
  }
  return names.sort();
}

/** The owned source files that still name a command: a handler, a test. Generated folders are left out. */
export async function ownedFilesNaming(workspace: string, command: string): Promise<readonly string[]> {
  const found: string[] = [];
  const packages = join(workspace, "packages");
  for (const entry of await readdir(packages, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const relative = path.slice(workspace.length + 1).replaceAll("\\", "/");
    if (!entry.isFile() || !/^packages\/[^/]+\/src\/(?!gen\/).*\.ts$/.test(relative)) continue;
    if ((await readFile(path, "utf8")).includes(`"${command}"`)) found.push(relative);
  }
  return found.sort();
}
