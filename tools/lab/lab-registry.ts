import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { DockerLabError } from "./docker-lab-error.js";
import { findTool } from "./find-tool.js";

const UP_WITHIN_MS = 15_000;

/** A registry on loopback for one lab; what is pushed lies outside the small filesystem. */
export interface LabRegistry {
  /** `127.0.0.1:PORT`, what an image's name begins with. */
  readonly host: string;
  stop(): void;
}

/** Starts `docker-registry` with its storage in the lab's directory and waits until it answers. */
export async function startLabRegistry(dir: string, signal?: AbortSignal): Promise<LabRegistry> {
  const program = findTool("docker-registry");
  if (program === null) {
    throw new DockerLabError(
      "unavailable",
      "no docker-registry on this machine (apt-get install docker-registry)",
    );
  }
  const host = `127.0.0.1:${await pickFreePort()}`;
  const storage = join(dir, "registry");
  const configPath = join(dir, "registry.json");
  const logPath = join(dir, "registry.log");
  mkdirSync(storage);
  const config = {
    version: 0.1,
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: true } },
    http: { addr: host },
  };
  // YAML is a superset of JSON, so no YAML writer is needed.
  writeFileSync(configPath, JSON.stringify(config));
  const log = openSync(logPath, "a");
  const child = spawn(program, ["serve", configPath], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: dir,
  });
  closeSync(log);
  child.unref();
  const ended = watchEnd(child);
  const deadline = performance.now() + UP_WITHIN_MS;
  while (!(await answers(host))) {
    if (ended() || signal?.aborted === true || performance.now() > deadline) {
      child.kill("SIGKILL");
      throw new DockerLabError(
        "engineFailed",
        `the registry didn't come up\n${readFileSync(logPath, "utf8")}`,
      );
    }
    await delay(30);
  }
  return { host, stop: () => void child.kill("SIGKILL") };
}

/** A TCP port on loopback that was free a moment ago. */
export function pickFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new DockerLabError("engineFailed", "no free port on loopback"));
      });
    });
  });
}

function watchEnd(child: ChildProcess): () => boolean {
  let ended = false;
  child.once("exit", () => (ended = true));
  child.once("error", () => (ended = true));
  return () => ended;
}

async function answers(host: string): Promise<boolean> {
  try {
    return (await fetch(`http://${host}/v2/`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
