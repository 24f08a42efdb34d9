import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatTable } from "../contract/format-tables.js";
import { dockerLabUnavailable, startDockerLab } from "../lab/docker-lab.js";

const ROOT = join(import.meta.dirname, "../..");
/** A core that has just started still compiles and gathers for the first time: that isn't counted. */
const SETTLE_MS = 20_000;
const WINDOW_MS = 40_000;
const IMAGES = 20;
/** The least that a watcher of a disk can do: the same question at the same pace, and nothing else. */
const BARE_WATCHER = `const { statfs } = require("node:fs"); setInterval(() => statfs(process.argv[1], () => undefined), 5000);`;

/** What a process used so far, all its threads together. */
interface Usage {
  readonly cpuMs: number;
  readonly wakeups: number;
}

/** What the whole core uses while nothing happens: a real process, a real engine, the default settings; beside a bare watcher. */
export async function benchIdle(): Promise<string> {
  const reason = process.platform === "linux" ? await dockerLabUnavailable() : "it reads /proc";
  if (reason !== null) return `skipped: no Docker lab here: ${reason}`;
  execFileSync("npx", ["nx", "run-many", "-t", "build", "-p", "core-server"], { cwd: ROOT, stdio: "ignore" });
  await using lab = await startDockerLab();
  for (let i = 0; i < IMAGES; i++) await lab.importImage({ name: `idle/image-${i}:1`, bytes: 1_000_000 });
  const home = mkdtempSync(join(tmpdir(), "continuum-idle-"));
  const core = join(ROOT, "packages/core-server/bin/continuum-core.js");
  const env = { PATH: process.env["PATH"], HOME: home, CONTINUUM_HOME: home };
  const contenders = [
    { name: "bare watcher", args: ["-e", BARE_WATCHER, lab.mountPoint] },
    { name: "continuum-core", args: [core, "--docker-host", lab.dockerHost] },
  ].map(({ name, args }) => ({ name, child: spawn(process.execPath, args, { env, stdio: "ignore" }) }));
  try {
    await pause(SETTLE_MS);
    const before = contenders.map(({ child }) => readUsage(child.pid ?? 0));
    const startedMs = performance.now();
    await pause(WINDOW_MS);
    const after = contenders.map(({ child }) => readUsage(child.pid ?? 0));
    const seconds = (performance.now() - startedMs) / 1000;
    const rows = contenders.map(({ name }, i) => {
      const cpuMs = (after[i]?.cpuMs ?? 0) - (before[i]?.cpuMs ?? 0);
      const wakeups = (after[i]?.wakeups ?? 0) - (before[i]?.wakeups ?? 0);
      const share = (cpuMs / 10 / seconds).toFixed(3);
      return [name, `${cpuMs.toFixed(1)} ms`, `${share} %`, (wakeups / seconds).toFixed(1)];
    });
    const head = `Default settings, ${IMAGES} images, nobody connected, ${seconds.toFixed(0)} s after ${SETTLE_MS / 1000} s; the goal is below 0.1 %`;
    return `${head}\n${formatTable([["", "processor time", "of one core", "wake-ups a second"], ...rows])}`;
  } finally {
    for (const { child } of contenders) {
      const ended = new Promise((resolve) => child.once("close", resolve));
      if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    }
    rmSync(home, { recursive: true, force: true });
  }
}

/** Of every thread: the kernel's nanoseconds on a processor, and how often it went to sleep by itself. Throws when it is gone. */
function readUsage(pid: number): Usage {
  let cpuMs = 0;
  let wakeups = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const directory = `/proc/${pid}/task/${thread}`;
    cpuMs += Number(readFileSync(`${directory}/schedstat`, "utf8").split(" ")[0]) / 1e6;
    const status = readFileSync(`${directory}/status`, "utf8");
    wakeups += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return { cpuMs, wakeups };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
