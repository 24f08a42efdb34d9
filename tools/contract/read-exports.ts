import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { shapesFromTypeScript } from "./shape-from-typescript.js";
import type { NamedShape } from "./shape.js";

/** Reads every exported type of the `.ts` files below a folder, whatever its layout; barrels export nothing of their own. */
export async function readExports(directory: string): Promise<readonly NamedShape[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.parentPath.includes("node_modules"),
    )
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const types: NamedShape[] = [];
  for (const file of files) {
    const folder = relative(directory, dirname(file)).replaceAll("\\", "/");
    types.push(...shapesFromTypeScript(file, await readFile(file, "utf8"), folder));
  }
  return types;
}
