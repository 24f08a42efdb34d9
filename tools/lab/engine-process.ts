import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { killLabProcesses } from "./destroy-lab.js";
import { DockerLabError } from "./docker-lab-error.js";
import { findTool } from "./find-tool.js";

const UP_WITHIN_MS = 30_000;
const DOWN_WITHIN_MS = 20_000;
const POLL_EVERY_MS = 50;
const LOG_TAIL_LINES = 25;

/** Where one engine lives; everything lies below `dir`, except the data root's own filesystem mounted there. */
interface EngineOptions {
  readonly dir: string;
  readonly dataRoot: string;
  readonly socketPath: string;
  /** Also listens here on loopback, without TLS; null for the socket alone. */
  readonly tcpPort: number | null;
}

/** One `dockerd` process and the containerd below it; it can be ended and started again on the same data. */
export class EngineProcess {
  readonly logPath: string;
  #child: ChildProcess | null = null;

  constructor(private readonly options: EngineOptions) {
    this.logPath = join(options.dir, "dockerd.log");
  }

  /** Process id of the running engine, null while there is none. */
  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Starts the engine and waits until it answers `/_ping`; rejects with the end of its log when it doesn't. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#child !== null) return;
    const { dir, dataRoot, socketPath, tcpPort } = this.options;
    const dockerd = findTool("dockerd");
    if (dockerd === null) throw new DockerLabError("unavailable", "no dockerd on this machine");
    // Killed, both leave their pid files; the engine takes a process of that id, even a zombie, for the living one.
    for (const file of ["dockerd.pid", "exec/containerd/containerd.pid"])
      rmSync(join(dir, file), { force: true });
    const log = openSync(this.logPath, "a");
    const child = spawn(
      dockerd,
      [
        ...["--data-root", dataRoot, "--exec-root", join(dir, "exec"), "-p", join(dir, "dockerd.pid")],
        ...["-H", `unix://${socketPath}`],
        ...(tcpPort === null ? [] : ["-H", `tcp://127.0.0.1:${tcpPort}`, "--tls=false"]),
        // No bridge and no packet filter: they need rights and kernel modules that a container often lacks.
        ...["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=overlay2"],
        ...["--cgroup-parent", `/${basename(dir)}`, "--shutdown-timeout", "3"],
      ],
      {
        // A session of its own: Ctrl-C on the terminal reaches the lab's owner alone, who ends it in order.
        detached: true,
        stdio: ["ignore", log, log],
        cwd: dir,
        env: {
          PATH: "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin",
          HOME: dir,
          NO_PROXY: "*",
        },
      },
    );
    closeSync(log);
    child.unref();
    this.#child = child;
    let failure: string | null = null;
    child.once("error", (error) => (failure = error.message));
    child.once("exit", (code, by) => {
      failure ??= `dockerd ended with ${by ?? `exit code ${code ?? "?"}`}`;
      if (this.#child === child) this.#child = null;
    });
    const deadline = performance.now() + UP_WITHIN_MS;
    const hasFailed = () => failure;
    while (!(await ping(socketPath))) {
      const why =
        hasFailed() ??
        (signal?.aborted === true ? "aborted" : null) ??
        (performance.now() > deadline ? `no answer within ${UP_WITHIN_MS} ms` : null);
      if (why !== null) {
        const tail = this.logTail();
        await this.kill();
        throw new DockerLabError("engineFailed", `the engine didn't come up: ${why}\n${tail}`);
      }
      await delay(POLL_EVERY_MS);
    }
  }

  /** Ends the engine in order (SIGTERM), which also ends its containers; killed when it takes longer than 20 s. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    child.kill("SIGCONT");
    child.kill("SIGTERM");
    if (!(await waitForExit(child, DOWN_WITHIN_MS))) await this.kill();
  }

  /**
   * SIGKILL for the engine, then for containerd, shims and containers, as when a machine loses power: the engine is
   * gone at once and nothing tidies up. Resolves when all of them are.
   */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child !== null) {
      child.kill("SIGKILL");
      await waitForExit(child, DOWN_WITHIN_MS);
    }
    const left = killLabProcesses(this.options.dir, "engine");
    if (left.length > 0) throw new DockerLabError("timeout", `processes that don't end: ${left.join(", ")}`);
  }

  /** Freezes the engine (SIGSTOP): it accepts connections and answers nothing. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  /** Lets a frozen engine go on. */
  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** The last lines of the engine's log. */
  logTail(): string {
    if (!existsSync(this.logPath)) return "";
    return readFileSync(this.logPath, "utf8").trimEnd().split("\n").slice(-LOG_TAIL_LINES).join("\n");
  }
}

function ping(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const req = request({ socketPath, path: "/_ping", timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    req.once("timeout", () => req.destroy());
    req.once("error", () => resolve(false));
    req.end();
  });
}

async function waitForExit(child: ChildProcess, withinMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return true;
  // The child is unreferenced, so something else must keep this process awake until its end is seen.
  child.ref();
  return await new Promise((resolve) => {
    const timer = setTimeout(() => done(false), withinMs);
    const onExit = () => done(true);
    const done = (ended: boolean) => {
      clearTimeout(timer);
      child.off("exit", onExit);
      child.unref();
      resolve(ended);
    };
    child.once("exit", onExit);
  });
}
