import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createTwoFilesPatch } from "diff";
import type { Drift } from "../generate/compare-files.js";
import type { GeneratedFile } from "../generate/generated-file.js";

/** What generating would change, as one unified diff; "" when nothing. */
export async function toPatch(
  workspace: string,
  files: readonly GeneratedFile[],
  drift: readonly Drift[],
): Promise<string> {
  const texts = new Map(files.map(({ path, text }) => [path, text]));
  const parts: string[] = [];
  for (const { kind, path } of drift) {
    const before = kind === "missing" ? "" : await readFile(join(workspace, path), "utf8");
    const after = kind === "orphan" ? "" : (texts.get(path) ?? "");
    const from = kind === "missing" ? "/dev/null" : `a/${path}`;
    const to = kind === "orphan" ? "/dev/null" : `b/${path}`;
    parts.push(createTwoFilesPatch(from, to, before, after).replace(/^=+\n/, ""));
  }
  return parts.join("");
}
