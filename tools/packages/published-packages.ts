import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  private: z.boolean().default(false),
  exports: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])).default({}),
  bin: z.record(z.string(), z.string()).default({}),
});

/** A package that would be published. */
export interface PublishedPackage {
  readonly name: string;
  readonly version: string;
  /** Absolute. */
  readonly folder: string;
  /** What a consumer may import: `@continuum/wire-types`, `@continuum/wire-types/commands`. */
  readonly entryPoints: readonly string[];
  /** The names of its programs. */
  readonly bins: readonly string[];
  /** Files that its exports name and that aren't there; relative to `folder`. */
  readonly missing: readonly string[];
}

/** Every package under `folder` that isn't private, by name. */
export async function readPublishedPackages(folder: string): Promise<PublishedPackage[]> {
  const packages: PublishedPackage[] = [];
  for (const entry of (await readdir(folder)).sort()) {
    const path = join(folder, entry, "package.json");
    if (!existsSync(path)) continue;
    const manifest = manifestSchema.parse(JSON.parse(await readFile(path, "utf8")));
    if (manifest.private) continue;
    const targets = Object.values(manifest.exports).flatMap((target) =>
      typeof target === "string" ? [target] : Object.values(target),
    );
    packages.push({
      name: manifest.name,
      version: manifest.version,
      folder: join(folder, entry),
      entryPoints: Object.keys(manifest.exports)
        .filter((key) => !key.endsWith(".json"))
        .map((key) => manifest.name + key.slice(1)),
      bins: Object.keys(manifest.bin),
      missing: [...new Set([...targets, ...Object.values(manifest.bin)])].filter(
        (target) => !existsSync(join(folder, entry, target)),
      ),
    });
  }
  return packages;
}
