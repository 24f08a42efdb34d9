import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { PublishedPackage } from "./published-packages.js";

/** A compiler that consumers use, installed under an alias. */
export interface Compiler {
  /** What the table calls it. */
  readonly title: string;
  readonly alias: string;
  readonly spec: string;
}

/** The compilers that published types must pass; the newest is whatever the registry calls so. */
export const COMPILERS = {
  oldest: { title: "ts 5.5", alias: "typescript-5.5", spec: "npm:typescript@~5.5.4" },
  own: { title: "ts 5.9", alias: "typescript-5.9", spec: "npm:typescript@~5.9.3" },
  newest: { title: "ts newest", alias: "typescript-newest", spec: "npm:typescript@latest" },
} as const satisfies Record<string, Compiler>;

/** How an importer finds modules. */
export type Resolution = "nodenext" | "bundler";

/** Writes a consumer's project into the empty `folder`: every tarball a dependency, and one file per package. */
export async function writeConsumerProject(
  folder: string,
  tarballs: ReadonlyMap<string, string>,
  sources: ReadonlyMap<string, string>,
): Promise<void> {
  const manifest = {
    name: "consumer",
    version: "1.0.0",
    private: true,
    type: "module",
    dependencies: Object.fromEntries([...tarballs].map(([name, path]) => [name, `file:${path}`])),
    devDependencies: {
      "@types/node": "^20.19.0",
      ...Object.fromEntries(Object.values(COMPILERS).map(({ alias, spec }) => [alias, spec])),
    },
    // The packages name each other by version; these are those versions.
    overrides: Object.fromEntries([...tarballs.keys()].map((name) => [name, `$${name}`])),
  };
  await mkdir(join(folder, "src"), { recursive: true });
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  // Should an override miss, npm must fail rather than take a stranger's package of that name.
  await writeFile(join(folder, ".npmrc"), "@continuum:registry=http://127.0.0.1:9/\n");
  for (const [name, source] of sources) await writeFile(join(folder, consumerFile(name)), source);
  for (const resolution of ["nodenext", "bundler"] as const) {
    const compilerOptions = {
      target: "es2022",
      lib: ["es2022"],
      module: resolution === "nodenext" ? "nodenext" : "esnext",
      moduleResolution: resolution,
      strict: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      types: ["node"],
      noEmit: true,
    };
    await writeFile(
      join(folder, `tsconfig.${resolution}.json`),
      JSON.stringify({ compilerOptions, include: ["src"] }),
    );
  }
}

/** The consumer's file for a package, relative to the project. */
function consumerFile(name: string): string {
  return `src/${name.replace(/^.*\//, "")}.ts`;
}

/** The path of an installed compiler's `tsc` and its version. */
export async function findCompiler(
  folder: string,
  alias: string,
): Promise<{ readonly tsc: string; readonly version: string }> {
  const root = join(folder, "node_modules", alias);
  const manifest = z
    .object({ version: z.string(), bin: z.object({ tsc: z.string() }) })
    .parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
  return { tsc: join(root, manifest.bin.tsc), version: manifest.version };
}

/**
 * The part of a compiler's output that concerns a package: its consumer file and its types. A line that names no
 * package at all (a dependency's types, a wrong option) concerns every one.
 */
export function compilerErrorsOf(
  output: string,
  name: string,
  all: readonly Pick<PublishedPackage, "name">[],
): string[] {
  const concerns = (line: string, of: string): boolean =>
    line.startsWith(`${consumerFile(of)}(`) || line.startsWith(`node_modules/${of}/`);
  const errors = output.split("\n").filter((line) => /\berror\b|not done after|interrupted/.test(line));
  return errors.filter((line) => concerns(line, name) || !all.some((other) => concerns(line, other.name)));
}
