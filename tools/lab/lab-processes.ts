import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";

/** The programs a lab starts with its own directory among their arguments. */
const ENGINE_PROGRAMS = ["dockerd", "containerd", "containerd-shim-runc-v2", "containerd-shim"];

/** The engine with its containers, or the registry beside it as well. */
export type LabProcessScope = "engine" | "all";

/**
 * Ids of the living processes that belong to one lab and to nothing else: its engine, containerd, shims and
 * registry (one of these programs with the lab's directory in an argument), and whatever runs in the lab's own
 * control group, which is every container, also one whose shim is gone.
 */
export function findLabProcesses(
  labDir: string,
  scope: LabProcessScope = "all",
  procDir = "/proc",
): number[] {
  const programs = new Set(scope === "all" ? [...ENGINE_PROGRAMS, "docker-registry"] : ENGINE_PROGRAMS);
  const cgroup = `/${basename(labDir)}`;
  return readdirSync(procDir)
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      const args = read(join(procDir, name, "cmdline")).split("\0");
      if (args[0] === "" || args[0] === undefined) return false;
      if (programs.has(basename(args[0])) && args.some((arg) => isWithin(arg, labDir))) return true;
      return read(join(procDir, name, "cgroup"))
        .split("\n")
        .some((line) => {
          const path = line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1);
          return path === cgroup || path.startsWith(`${cgroup}/`);
        });
    })
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

/** Whether an argument names the directory or something in it, also as the end of `--flag=PATH` or a URL. */
function isWithin(arg: string, dir: string): boolean {
  return arg === dir || arg.endsWith(`=${dir}`) || arg.includes(`${dir}/`);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
