import type { Clock } from "@continuum/broker-core";
import { formatDockerEndpoint } from "../docker-host.js";
import { bindingOf, type DetectedMeasurement, type DockerMeasurement } from "./docker-measurement.js";
import type { EngineLocator, LocatedEngine } from "./engine-locator.js";
import { imageRoots } from "./engine-root.js";
import { fileErrorText, type HostFiles } from "./host-files.js";
import { measureFilesystem } from "./measure-filesystem.js";

/** What the Linux probe works with. */
export interface LinuxEngineProbeOptions {
  readonly locator: EngineLocator;
  readonly files: HostFiles;
  readonly clock: Clock;
  readonly hostname: () => string;
  /** An engine's own figures, where its disk can't be measured; null while they are being gathered. */
  readonly apiUsage: () => ApiUsage | null;
  /** What the disk of an engine on another machine holds; null when nobody said. */
  readonly capacityBytes: number | null;
}

/** What an engine says that it takes up. */
export interface ApiUsage {
  readonly usedBytes: number;
  readonly atMs: number;
  /** Older than it should be: it couldn't be gathered anew. */
  readonly stale: boolean;
}

/** A directory that was the engine's when the engine last answered, known again by device and inode. */
interface KnownRoot {
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

/** Either a measurement, or that there is no engine and none was known: what was tried, a line each. */
export type EngineProbeResult =
  | { readonly measurement: DockerMeasurement; readonly engine: LocatedEngine | null }
  | { readonly measurement: null; readonly tried: readonly string[] };

/**
 * Measures the filesystem of an engine's root directory, as `df` does.
 *
 * The directory is remembered: a disk that filled up and took the engine down with it stays visible, as long as the
 * same directory (device and inode) is there. Never are another filesystem's figures given. Of an engine on another
 * machine that doesn't answer any more its last figures are given, as stale ones.
 */
export class LinuxEngineProbe {
  readonly #options: LinuxEngineProbeOptions;
  #root: KnownRoot | null = null;
  /** Where the engine that answered last listens, if it was one of another machine. */
  #remote: string | null = null;

  constructor(options: LinuxEngineProbeOptions) {
    this.#options = options;
  }

  /** One measurement of now. Rejects only when the file system fails in a way that says nothing about Docker. */
  async measure(): Promise<EngineProbeResult> {
    const { locator } = this.#options;
    // What the engine said a while ago holds only for the directory that was there then.
    if (this.#root !== null && !(await this.#isUnchanged(this.#root))) locator.forget();
    const sighting = await locator.locate();
    const { engine } = sighting;
    if (engine === null) {
      const known = this.#root;
      if (known === null) {
        const measurement = this.#lastOfRemote();
        return measurement === null ? { measurement, tried: sighting.tried } : { measurement, engine: null };
      }
      return { measurement: await this.#measureKnown(known, sighting.tried), engine: null };
    }
    // Docker Desktop's engine names directories of its virtual machine.
    if (engine.info.OperatingSystem === "Docker Desktop")
      return { measurement: null, tried: ["the engine is Docker Desktop's"] };
    return { measurement: await this.#measureEngine(engine), engine };
  }

  async #measureEngine(engine: LocatedEngine): Promise<DockerMeasurement> {
    const { clock, hostname } = this.#options;
    const { endpoint, info } = engine;
    const where = formatDockerEndpoint(endpoint);
    this.#remote = null;
    if (endpoint.kind === "tcp" && info.Name !== hostname()) return this.#measureRemote(where);
    const failures: string[] = [];
    const found: KnownRoot[] = [];
    for (const path of imageRoots(info)) {
      const root = await this.#directory(path);
      if (typeof root === "string") failures.push(`${path}: ${root}`);
      // Of several on one filesystem the first says it all.
      else if (!found.some(({ dev }) => dev === root.dev)) found.push(root);
    }
    const measured = await Promise.all(
      found.map(async (root) => ({ root, measurement: await this.#measureRoot(root) })),
    );
    // Whichever runs full first stops the engine.
    measured.sort((a, b) => bindingOf(b.measurement).pressure - bindingOf(a.measurement).pressure);
    const [worst] = measured;
    if (worst !== undefined) {
      this.#root = worst.root;
      return worst.measurement;
    }
    if (endpoint.kind === "tcp") return this.#measureRemote(where);
    this.#root = null;
    const reason = `the engine at ${where} answers, but its root directory can't be measured (${failures.join("; ")}): does it run in a virtual machine or container, or does the core lack the permission to look?`;
    return { kind: "notFound", atMs: clock.nowMs(), path: info.DockerRootDir, reason };
  }

  /** An engine on another machine: what it says of itself must do. */
  #measureRemote(path: string): DockerMeasurement {
    const { apiUsage, clock } = this.#options;
    this.#root = null;
    this.#remote = path;
    const usage = apiUsage();
    if (usage === null) {
      const reason = `the engine at ${path} runs on another machine, and what it says of its disk is still being gathered: ask again in a moment, or run the core there`;
      return { kind: "notFound", atMs: clock.nowMs(), path, reason };
    }
    return this.#toRemoteMeasurement(path, usage);
  }

  /** What an engine on another machine said before it hung or went; null when it never said anything. */
  #lastOfRemote(): DetectedMeasurement | null {
    if (this.#remote === null) return null;
    const usage = this.#options.apiUsage();
    return usage === null ? null : this.#toRemoteMeasurement(this.#remote, { ...usage, stale: true });
  }

  #toRemoteMeasurement(path: string, { usedBytes, atMs, stale }: ApiUsage): DetectedMeasurement {
    const capacity = this.#options.capacityBytes ?? 0;
    return {
      kind: "detected",
      source: "engineApi",
      atMs,
      path,
      allocatedBytes: capacity,
      usedBytes,
      capacityBytes: capacity,
      inodes: null,
      shrinks: true,
      stale,
    };
  }

  async #isUnchanged(known: KnownRoot): Promise<boolean> {
    const found = await this.#directory(known.path);
    return typeof found !== "string" && found.dev === known.dev && found.ino === known.ino;
  }

  async #measureKnown(known: KnownRoot, tried: readonly string[]): Promise<DockerMeasurement> {
    const found = await this.#directory(known.path);
    if (typeof found !== "string" && found.dev === known.dev && found.ino === known.ino) {
      return await this.#measureRoot(found);
    }
    const why =
      typeof found === "string"
        ? `its root directory is gone (${found})`
        : "another directory stands in the place of its root now (unmounted?)";
    const reason = `the engine doesn't answer, and ${why}: start the engine again. Tried: ${tried.join("; ")}`;
    return { kind: "notFound", atMs: this.#options.clock.nowMs(), path: known.path, reason };
  }

  async #measureRoot({ path }: KnownRoot): Promise<DetectedMeasurement> {
    const { files, clock } = this.#options;
    const { usedBytes, capacityBytes, inodes } = await measureFilesystem(files, path);
    const figures = { allocatedBytes: capacityBytes, usedBytes, capacityBytes };
    return {
      kind: "detected",
      source: "engineRoot",
      atMs: clock.nowMs(),
      path,
      ...figures,
      inodes,
      shrinks: true,
      stale: false,
    };
  }

  /** The directory as it is now, or why it isn't one. */
  async #directory(path: string): Promise<KnownRoot | string> {
    try {
      const found = await this.#options.files.stat(path);
      return found.isDirectory() ? { path, dev: found.dev, ino: found.ino } : "is no directory";
    } catch (error) {
      const text = fileErrorText(error);
      // Anything else (a mount that hangs, an I/O error) says nothing about where Docker is.
      if (!["ENOENT", "ENOTDIR", "EACCES", "EPERM"].includes(text)) throw error;
      return text;
    }
  }
}
