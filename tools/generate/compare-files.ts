import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import type { GeneratedFile } from "./generated-file.js";

/** Where generated files stand; everything below is the generator's. */
const generatedFolders = [
  "packages/wire-types/src/gen",
  "packages/ipc-client/src/gen",
  "packages/server-commands/src/gen",
  "docs/commands",
] as const;

/** One generated file that isn't as it would be generated now. */
export type Drift =
  | { readonly kind: "missing"; readonly path: string }
  | { readonly kind: "orphan"; readonly path: string }
  | {
      readonly kind: "differs";
      readonly path: string;
      readonly line: number;
      readonly expected: string;
      readonly found: string;
    };

/** Holds what stands on disk against what would be generated: byte for byte, orphans included. */
export async function compareFiles(
  workspace: string,
  files: readonly GeneratedFile[],
): Promise<readonly Drift[]> {
  const drift: Drift[] = [];
  for (const { path, text } of files) {
    const found = await readIfThere(join(workspace, path));
    if (found === null) drift.push({ kind: "missing", path });
    else if (found !== text) drift.push({ kind: "differs", path, ...firstDifference(text, found) });
  }
  const known = new Set(files.map(({ path }) => path));
  for (const path of await existingFiles(workspace))
    if (!known.has(path)) drift.push({ kind: "orphan", path });
  return drift.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Every file below the generated folders, relative to the workspace. */
export async function existingFiles(workspace: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const folder of generatedFolders) {
    const entries = await readdir(join(workspace, folder), { recursive: true, withFileTypes: true }).catch(
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
        throw error;
      },
    );
    for (const entry of entries.filter((e) => e.isFile())) {
      found.push(relative(workspace, join(entry.parentPath, entry.name)).replaceAll("\\", "/"));
    }
  }
  return found.sort();
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EISDIR") return null;
    throw error;
  }
}

function firstDifference(expected: string, found: string): { line: number; expected: string; found: string } {
  const a = expected.split("\n");
  const b = found.split("\n");
  const line = a.findIndex((text, i) => text !== b[i]);
  const at = line === -1 ? a.length : line;
  return { line: at + 1, expected: a[at] ?? "(end of file)", found: b[at] ?? "(end of file)" };
}
