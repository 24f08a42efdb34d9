/**
 * `npm run packages`: what would be published, as a stranger gets it. Packs every package that isn't private, has
 * publint and arethetypeswrong look at the tarballs, installs them into an empty project outside the workspace,
 * imports every entry point, runs every program, and compiles a consumer with TypeScript 5.5, 5.9 and the newest.
 */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  COMPILERS,
  compilerErrorsOf,
  findCompiler,
  type Resolution,
  writeConsumerProject,
} from "./packages/consumer-project.js";
import { CONSUMER_SOURCES } from "./packages/consumer-sources.js";
import { Findings } from "./packages/findings.js";
import { checkTarballTypes, publintTarball } from "./packages/lint-tarball.js";
import { type PublishedPackage, readPublishedPackages } from "./packages/published-packages.js";
import { type ChildResult, runChild } from "./packages/run-child.js";

const root = join(import.meta.dirname, "..");
const abort = new AbortController();
const findings = new Findings();

async function main(): Promise<void> {
  const packages = await readPublishedPackages(join(root, "packages"));
  const unbuilt = packages.filter(({ missing }) => missing.length > 0);
  for (const { name, missing } of unbuilt)
    console.error(`${name}: not built, it lacks ${missing.join(", ")}`);
  if (unbuilt.length > 0) throw new Error("build first: npm run build");

  const scratch = await mkdtemp(join(tmpdir(), "continuum-packages-"));
  const remove = (): void => {
    rmSync(scratch, { recursive: true, force: true });
  };
  // Also when something throws where no `finally` is reached.
  process.once("exit", remove);
  try {
    const tarballs = await pack(packages, scratch);
    const project = join(scratch, "consumer");
    await mkdir(project);
    await writeConsumerProject(project, tarballs, CONSUMER_SOURCES);
    await Promise.all([lint(packages, tarballs), install(project)]);
    await runConsumer(packages, project);
    await compileConsumer(packages, project);
  } finally {
    // A child that still runs beside what failed would write on.
    abort.abort();
    remove();
  }
  console.log(`\n${findings.format(packages.map(({ name }) => name)).join("\n")}`);
  if (findings.failed) {
    console.error(
      "\nto mend: the package's exports, files or dependencies as said above, then npm run build;",
    );
    console.error("a new package or export wants its lines in tools/packages/consumer-sources.ts");
    process.exitCode = 1;
  }
}

async function pack(packages: readonly PublishedPackage[], scratch: string): Promise<Map<string, string>> {
  const folders = packages.map(({ folder }) => folder);
  const args = ["pack", ...folders, "--pack-destination", scratch, "--ignore-scripts", "--silent"];
  demand("npm pack", await run("npm", args, scratch, 60));
  const files = await readdir(scratch);
  return new Map(
    packages.map(({ name, version }) => {
      const file = `${name.replace("@", "").replace("/", "-")}-${version}.tgz`;
      if (!files.includes(file)) throw new Error(`npm pack: got ${files.join(", ")}, expected ${file}`);
      return [name, join(scratch, file)];
    }),
  );
}

async function lint(
  packages: readonly PublishedPackage[],
  tarballs: ReadonlyMap<string, string>,
): Promise<void> {
  for (const { name } of packages) {
    const tarball = tarballs.get(name) ?? "";
    findings.add(name, "publint", await publintTarball(tarball));
    findings.add(name, "attw", await checkTarballTypes(tarball));
  }
}

async function install(project: string): Promise<void> {
  const args = [
    "install",
    "--prefer-offline",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  demand("npm install of the tarballs", await run("npm", args, project, 180));
}

/** Imports every entry point with plain node and runs every program. */
async function runConsumer(packages: readonly PublishedPackage[], project: string): Promise<void> {
  for (const { name, version, entryPoints, bins } of packages) {
    const imports = entryPoints.map((entry) => `await import(${JSON.stringify(entry)});`).join("\n");
    const imported = await run("node", ["--input-type=module", "-e", imports], project, 30);
    findings.add(name, "import", imported.ok ? [] : [imported.output]);
    for (const bin of bins) {
      const { ok, output } = await run(join(project, "node_modules/.bin", bin), ["--version"], project, 30);
      const says = `${bin} --version: got ${JSON.stringify(output)}, expected ${version}`;
      findings.add(name, "bin", ok && output === version ? [] : [says]);
    }
  }
}

/** Has each compiler check each package's consumer file, together with all the types that it pulls in. */
async function compileConsumer(packages: readonly PublishedPackage[], project: string): Promise<void> {
  const runs: readonly (readonly [keyof typeof COMPILERS, Resolution])[] = [
    ["oldest", "nodenext"],
    ["own", "nodenext"],
    ["newest", "nodenext"],
    ["newest", "bundler"],
  ];
  for (const [key, resolution] of runs) {
    const { title, alias } = COMPILERS[key];
    const { tsc, version } = await findCompiler(project, alias);
    const args = [tsc, "-p", `tsconfig.${resolution}.json`, "--pretty", "false"];
    const { ok, output } = await run("node", args, project, 120);
    const check = resolution === "nodenext" ? title : `${title} bundler`;
    console.log(`${check}: TypeScript ${version}`);
    for (const { name } of packages) {
      const lines = ok ? [] : compilerErrorsOf(output, name, packages);
      if (!CONSUMER_SOURCES.has(name)) lines.push("no consumer file in tools/packages/consumer-sources.ts");
      findings.add(name, check, lines);
    }
    // Whatever tsc failed with must stand somewhere.
    if (!ok && !findings.failed) throw new Error(`tsc ${version}: ${output}`);
  }
}

function run(file: string, args: readonly string[], cwd: string, seconds: number): Promise<ChildResult> {
  return runChild(file, args, { cwd, timeoutMs: seconds * 1000, signal: abort.signal });
}

function demand(what: string, { ok, output }: ChildResult): void {
  if (!ok) throw new Error(`${what} failed:\n${output}`);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    abort.abort();
  });
}
try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
