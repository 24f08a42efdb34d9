import { join } from "node:path";
import { build } from "tsup";

/** A manifest with a version stands one directory above it, as it does for the packages. */
const OUT_DIR = join(import.meta.dirname, "../../dist");

/** Bundles an entry of this directory as the packages are published, from their present source; gives the file. */
export async function buildProgram(name: string): Promise<string> {
  await build({
    entry: { [name]: join(import.meta.dirname, `${name}.ts`) },
    outDir: OUT_DIR,
    format: ["esm"],
    target: "node20",
    platform: "node",
    noExternal: [/^@continuum\//u],
    external: [/^(?!@continuum\/)[^./]/u],
    esbuildOptions: (options) => {
      options.conditions = ["@continuum/source"];
    },
    silent: true,
    config: false,
    clean: false,
    sourcemap: true,
  });
  return join(OUT_DIR, `${name}.js`);
}
