import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const original = join(import.meta.dirname, "../../../..");
const leftOut = new Set(["node_modules", "dist", "out-tsc", ".git", ".nx", "test-results", "coverage"]);

/** What a command of a workspace copy printed and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A copy of this workspace that can be changed at will; its packages see each other, not the original's. */
export interface WorkspaceCopy extends AsyncDisposable {
  readonly dir: string;
  /** Runs a tool of node_modules/.bin, or `node`, inside; never rejects for a non-zero exit. */
  run(tool: string, args: readonly string[], cwd?: string): Promise<Ran>;
  edit(path: string, change: (text: string) => string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** Copies the workspace's files and links its dependencies. */
export async function copyWorkspace(): Promise<WorkspaceCopy> {
  const dir = await mkdtemp(join(tmpdir(), "continuum-workspace-"));
  await cp(original, dir, { recursive: true, filter: (path) => !leftOut.has(basename(path)) });
  await linkDependencies(dir);
  return {
    dir,
    run: (tool, args, cwd = ".") => run(dir, tool, args, cwd),
    edit: async (path, change) => {
      const file = join(dir, path);
      const before = await readFile(file, "utf8");
      const after = change(before);
      if (after === before) throw new Error(`the edit of ${path} changed nothing`);
      await writeFile(file, after);
    },
    remove: (path) => rm(join(dir, path)),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Everything of node_modules is the original's, but the workspace's own packages are the copy's. */
async function linkDependencies(dir: string): Promise<void> {
  const own = join(dir, "node_modules/@continuum");
  await mkdir(own, { recursive: true });
  for (const name of await readdir(join(original, "node_modules"))) {
    if (name === "@continuum") continue;
    await symlink(join(original, "node_modules", name), join(dir, "node_modules", name));
  }
  for (const name of await readdir(join(dir, "packages")))
    await symlink(join(dir, "packages", name), join(own, name));
  await symlink(join(dir, "tools"), join(own, "tools"));
  // Versions that a package has for itself (npm puts them beside it).
  for (const path of ["tools", ...(await readdir(join(dir, "packages"))).map((name) => `packages/${name}`)]) {
    await symlink(join(original, path, "node_modules"), join(dir, path, "node_modules"));
  }
}

function run(dir: string, tool: string, args: readonly string[], cwd: string): Promise<Ran> {
  const file = tool === "node" ? process.execPath : join(dir, "node_modules/.bin", tool);
  const env = { PATH: process.env["PATH"] ?? "", HOME: dir, NODE_OPTIONS: "", NO_COLOR: "1" };
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd: join(dir, cwd), env, timeout: 180_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (typeof code === "number") resolve({ code, stdout, stderr });
      else reject(error ?? new Error(`${tool} has no exit code`));
    });
  });
}
