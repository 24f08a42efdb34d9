import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { findTool } from "./find-tool.js";
import { findLabProcesses, type LabProcessScope } from "./lab-processes.js";

const KILL_WITHIN_MS = 10_000;
const TOOL_WITHIN_MS = 10_000;

/**
 * Removes everything a lab left in the system: processes, mounts, loop device, control groups, shim sockets and
 * its directory. Synchronous, so that it also runs in an `exit` handler; bounded in time; harmless to repeat.
 * Gives what could not be removed (empty: all is gone).
 */
export function destroyLab(dir: string): string[] {
  const left = killLabProcesses(dir).map((pid) => `process ${pid}`);
  for (const mount of findMounts(dir)) {
    if (!run("umount", [mount]) && !run("umount", ["-l", mount])) left.push(`mount ${mount}`);
  }
  for (const device of findLoopDevices(join(dir, "disk.img"))) {
    // Mounting by `-o loop` lets the device go with its last mount; only a half-made mount leaves one.
    if (!run("losetup", ["-d", device])) left.push(`loop device ${device}`);
  }
  removeControlGroups(basename(dir));
  const stillMounted = findMounts(dir);
  if (stillMounted.length > 0) return [...left, ...stillMounted.map((mount) => `mount ${mount}`)];
  try {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  } catch (error) {
    left.push(`directory ${dir}: ${String(error)}`);
  }
  return left;
}

/** Ends every process of a lab with SIGKILL and waits until they are gone; gives those that are not. */
export function killLabProcesses(dir: string, scope: LabProcessScope = "all"): number[] {
  const deadline = performance.now() + KILL_WITHIN_MS;
  for (;;) {
    // Looked for again after each round: a shim may have started something in between.
    const pids = findLabProcesses(dir, scope);
    if (pids.length === 0) removeShimSockets(dir);
    if (pids.length === 0 || performance.now() > deadline) return pids;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone in between.
      }
    }
    pauseSync(10);
  }
}

/** Mount points at or below a directory, the deepest and newest first. */
export function findMounts(dir: string, mountInfo = readFileSync("/proc/self/mountinfo", "utf8")): string[] {
  return mountInfo
    .split("\n")
    .map((line) => line.split(" ")[4]?.replace(/\\040/g, " ") ?? "")
    .filter((mount) => mount === dir || mount.startsWith(`${dir}/`))
    .reverse();
}

/**
 * containerd keeps its shims' sockets outside the engine's directories. Each shim's bundle names its own, until the
 * next containerd on the same data clears the bundles of dead shims away; so this comes right after the killing.
 */
function removeShimSockets(dir: string): void {
  const tasks = join(dir, "exec/containerd/daemon/io.containerd.runtime.v2.task/moby");
  if (!existsSync(tasks)) return;
  for (const id of readdirSync(tasks)) {
    try {
      const address = readFileSync(join(tasks, id, "address"), "utf8").trim();
      const socket = address.replace(/^unix:\/\//, "");
      if (socket.startsWith("/run/containerd/s/")) rmSync(socket, { force: true });
    } catch {
      // A bundle that is only half made has no socket yet.
    }
  }
}

function findLoopDevices(image: string): string[] {
  const losetup = findTool("losetup");
  if (losetup === null || !existsSync(image)) return [];
  const { stdout } = spawnSync(losetup, ["-j", image], { encoding: "utf8", timeout: TOOL_WITHIN_MS });
  return stdout
    .split("\n")
    .map((line) => line.slice(0, line.indexOf(":")))
    .filter((device) => device.startsWith("/dev/loop"));
}

/** The lab's control group in the unified hierarchy and in each of the older ones. */
function removeControlGroups(name: string): void {
  const root = "/sys/fs/cgroup";
  if (!existsSync(root)) return;
  for (const base of [root, ...readdirSync(root).map((entry) => join(root, entry))])
    removeGroup(join(base, name));
}

function removeGroup(path: string): void {
  try {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) removeGroup(join(path, entry.name));
    }
    rmdirSync(path);
  } catch {
    // Not there, or still in use: an empty group costs nothing.
  }
}

function run(name: string, args: readonly string[]): boolean {
  const tool = findTool(name);
  return tool !== null && spawnSync(tool, args, { stdio: "ignore", timeout: TOOL_WITHIN_MS }).status === 0;
}

function pauseSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
