import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Drift } from "./compare-files.js";
import type { GeneratedFile } from "./generated-file.js";

/**
 * Makes the disk as generated: all files that differ are written beside their place first and then moved there,
 * so that a failure while writing (a full disk) leaves everything as it was. Orphans are removed last.
 */
export async function writeFiles(
  workspace: string,
  files: readonly GeneratedFile[],
  drift: readonly Drift[],
): Promise<void> {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const changed = drift.filter(({ kind }) => kind !== "orphan").map(({ path }) => join(workspace, path));
  const staged: { readonly from: string; readonly to: string }[] = [];
  try {
    for (const { path } of drift.filter(({ kind }) => kind !== "orphan")) {
      const to = join(workspace, path);
      const from = `${to}.${process.pid}.new`;
      await mkdir(dirname(to), { recursive: true });
      staged.push({ from, to });
      await writeFile(from, texts.get(path) ?? "");
    }
    await moveAll(staged);
  } catch (error) {
    await Promise.all(staged.map(({ from }) => rm(from, { force: true })));
    throw new Error(`nothing generated: ${changed.length} file(s) could not be written`, { cause: error });
  }
  for (const { path } of drift.filter(({ kind }) => kind === "orphan")) await rm(join(workspace, path));
}

/** Moves every file to its place; when one can't be, those moved before are put back as they were. */
async function moveAll(staged: readonly { readonly from: string; readonly to: string }[]): Promise<void> {
  const originals: { readonly to: string; readonly bytes: Buffer | null }[] = [];
  try {
    for (const { from, to } of staged) {
      const bytes = await readFile(to).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
        throw error;
      });
      await rename(from, to);
      originals.push({ to, bytes });
    }
  } catch (error) {
    for (const { to, bytes } of originals)
      await (bytes === null ? rm(to, { force: true }) : writeFile(to, bytes));
    throw error;
  }
}
