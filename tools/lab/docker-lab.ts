import { mkdtempSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { destroyLab } from "./destroy-lab.js";
import { DockerLabError } from "./docker-lab-error.js";
import { dockerLabUnavailable } from "./docker-lab-unavailable.js";
import { EngineProcess } from "./engine-process.js";
import { findTool } from "./find-tool.js";
import { guardLab, unguardLab } from "./lab-exit-guard.js";
import { LabContents } from "./lab-contents.js";
import { mountLabFilesystem } from "./lab-filesystem.js";
import { writeOwner } from "./lab-owner.js";
import { pickFreePort, startLabRegistry, type LabRegistry } from "./lab-registry.js";
import { readDf, type DfReading } from "./df-reading.js";
import { runTool, type RunToolOptions, type ToolOutput } from "./run-tool.js";
import { LAB_DIR_PREFIX, sweepStaleLabs } from "./sweep-stale-labs.js";

export { DockerLabError, type DockerLabErrorCode } from "./docker-lab-error.js";
export { createProtectedScene, verifyScene, type ProtectedScene, type ProtectedThing } from "./scene.js";
export { dockerLabUnavailable } from "./docker-lab-unavailable.js";
export { parseSize } from "./parse-size.js";
export { sweepStaleLabs, type SweptLab } from "./sweep-stale-labs.js";
export type { DfReading } from "./df-reading.js";
export type { BuildImageOptions, FillResult, ImportImageOptions, LabContents } from "./lab-contents.js";
export type { ToolOutput } from "./run-tool.js";

/** How a lab is made; all of it may be left out. */
export interface DockerLabOptions {
  /** Raw size of the engine's filesystem, 1 GiB by default; `df` shows some 7 % less as capacity. */
  readonly sizeBytes?: number;
  /** Listens on loopback too; 0 picks a free port (see `DockerLab.tcpPort`). */
  readonly tcpPort?: number;
  /** Starts a registry of its own beside the engine. */
  readonly registry?: boolean;
  /** Is told about each step that takes time. */
  readonly log?: (line: string) => void;
  /** Aborting while the lab comes up takes down what there is of it. */
  readonly signal?: AbortSignal;
}

/** A running engine on a filesystem of its own. Whoever started it calls `stop()`; `await using` does too. */
export interface DockerLab extends LabContents, AsyncDisposable {
  /** The lab's directory; everything that belongs to the lab lies below it. */
  readonly dir: string;
  readonly socketPath: string;
  /** `unix://` URL of the engine, for `DOCKER_HOST`. */
  readonly dockerHost: string;
  /** Port on loopback where the engine listens too; null without `tcpPort`. */
  readonly tcpPort: number | null;
  /** `127.0.0.1:PORT` of the registry; null without `registry`. */
  readonly registryHost: string | null;
  readonly mountPoint: string;
  readonly dataRoot: string;
  /** Runs the engine's own client from an argument array; rejects with its stderr unless it exits with 0. */
  docker(args: readonly string[], options?: RunToolOptions): Promise<ToolOutput>;
  df(): Promise<DfReading>;
  /** Process id of dockerd, null while it is down. */
  enginePid(): number | null;
  /** The last lines of the engine's log. */
  engineLog(): string;
  /** Ends the engine in order and starts it on the same data. */
  restartEngine(): Promise<void>;
  /** SIGKILL for the engine and all it runs, as in a loss of power; resolves when they are gone. */
  killEngine(): Promise<void>;
  /** Ends the engine and its containers in order. */
  stopEngine(): Promise<void>;
  /** Starts an engine that was ended; resolves when it answers. */
  startEngine(): Promise<void>;
  /** SIGSTOP: connections open, answers don't come. */
  pauseEngine(): void;
  resumeEngine(): void;
  /** Takes everything down; may be called again. Rejects when something could not be removed, and names it. */
  stop(): Promise<void>;
}

/**
 * Starts a disposable Docker Engine on a loop-mounted ext4 filesystem in a new directory under `os.tmpdir()`.
 * Several run side by side. What a lab leaves is removed when it stops, when its start fails, when this process
 * ends, and, after a kill -9, by the next start anywhere. Needs root: ask `dockerLabUnavailable()` first.
 */
export async function startDockerLab(options: DockerLabOptions = {}): Promise<DockerLab> {
  const reason = await dockerLabUnavailable();
  if (reason !== null) throw new DockerLabError("unavailable", `no Docker lab here: ${reason}`);
  const log = options.log ?? (() => undefined);
  for (const { dir, left } of sweepStaleLabs()) {
    log(
      left.length === 0 ? `removed a lab left behind: ${dir}` : `still there of ${dir}: ${left.join(", ")}`,
    );
  }
  const dir = mkdtempSync(join(tmpdir(), LAB_DIR_PREFIX));
  writeOwner(dir);
  guardLab(dir);
  try {
    return await bringUp(dir, options, log);
  } catch (error) {
    const left = destroyLab(dir);
    unguardLab(dir);
    if (left.length > 0) log(`could not remove ${left.join(", ")}`);
    throw error;
  }
}

async function bringUp(
  dir: string,
  options: DockerLabOptions,
  log: (line: string) => void,
): Promise<DockerLab> {
  const { signal } = options;
  const mountPoint = await mountLabFilesystem(dir, options.sizeBytes ?? 2 ** 30, signal);
  const dataRoot = join(mountPoint, "data");
  const socketPath = join(dir, "docker.sock");
  const dockerHost = `unix://${socketPath}`;
  const tcpPort = options.tcpPort === 0 ? await pickFreePort() : (options.tcpPort ?? null);
  await mkdir(dataRoot);
  const clientConfig = join(dir, "client");
  await mkdir(clientConfig);
  writeFileSync(join(clientConfig, "config.json"), "{}");
  log(`starting an engine in ${dir}`);
  const engine = new EngineProcess({ dir, dataRoot, socketPath, tcpPort });
  await engine.start(signal);
  const registry: LabRegistry | null = options.registry === true ? await startLabRegistry(dir, signal) : null;

  const client = findTool("docker") ?? "docker";
  const docker: DockerLab["docker"] = (args, runOptions = {}) => {
    // Neither the person's context nor their credentials may play a part.
    const env = {
      ...process.env,
      DOCKER_CONTEXT: undefined,
      DOCKER_HOST: dockerHost,
      DOCKER_CONFIG: clientConfig,
      ...runOptions.env,
    };
    return runTool(client, args, { ...runOptions, env });
  };
  const df = () => readDf(mountPoint);
  const contents = new LabContents({ docker, df, log, registryHost: registry?.host ?? null });

  let stopping: Promise<void> | null = null;
  const takeDown = async () => {
    engine.resume();
    registry?.stop();
    await engine.kill();
    const left = destroyLab(dir);
    unguardLab(dir);
    if (left.length > 0) throw new DockerLabError("stopped", `could not remove ${left.join(", ")}`);
  };
  const stop = () => (stopping ??= takeDown());
  const controls = {
    dir,
    socketPath,
    dockerHost,
    tcpPort,
    registryHost: registry?.host ?? null,
    mountPoint,
    dataRoot,
    docker,
    df,
    enginePid: () => engine.pid,
    engineLog: () => engine.logTail(),
    restartEngine: async () => {
      await engine.stop();
      await engine.start();
    },
    killEngine: () => engine.kill(),
    stopEngine: () => engine.stop(),
    startEngine: () => engine.start(),
    pauseEngine: () => engine.pause(),
    resumeEngine: () => engine.resume(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
  return Object.assign(contents, controls);
}
