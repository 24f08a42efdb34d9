import { type Clock, PoolError, withDeadline } from "@continuum/broker-core";
import type { EngineDiskUsage } from "../engine/disk-usage.js";
import type { DockerMeasurement } from "../probe/docker-measurement.js";
import { toDiskReading } from "../probe/docker-measurement.js";
import type { HostFiles } from "../probe/host-files.js";
import type { ApiUsage } from "../probe/linux-engine-probe.js";
import type { DockerDiskReading } from "@continuum/wire-types";
import { attributeUsage, type LogSizes, type UsageAttribution } from "./attribute-usage.js";

/** Walking through all of a big host's images and volumes takes its time; no longer. */
const DEADLINE_MS = 60_000;
/** Between two gatherings at least this, and this many times what one takes: it costs the engine dearly. */
const MIN_INTERVAL_MS = 60_000;
const INTERVAL_FACTOR = 50;
/** A remote engine's figures are all that is known of its disk: gathered more often. */
const REMOTE_INTERVAL_MS = 15_000;
const INSPECT_AT_ONCE = 4;
/** Logs of more containers aren't looked at. */
const MAX_LOGS = 500;
/** A log and its older parts. */
const MAX_LOG_PARTS = 20;

/** What gathering needs of an engine. */
export interface AttributedEngine {
  diskUsage(signal?: AbortSignal): Promise<EngineDiskUsage>;
  containerInspect(
    id: string,
    signal?: AbortSignal,
  ): Promise<{ readonly LogPath?: string | null | undefined }>;
}

/** What the attributor works with. */
export interface DockerAttributorOptions {
  /** The engine as it is now; null when none answers. */
  readonly locate: () => Promise<{ readonly engine: AttributedEngine; readonly isRemote: boolean } | null>;
  readonly files: Pick<HostFiles, "stat">;
  readonly clock: Clock;
  readonly measure: () => Promise<DockerMeasurement>;
}

/** What was gathered last, with its age. */
export interface LatestAttribution {
  readonly attribution: UsageAttribution;
  readonly reading: DockerDiskReading | null;
  readonly atMs: number;
  readonly ageMs: number;
  readonly isRefreshing: boolean;
  /** Why the last attempt failed; null when it didn't. */
  readonly error: string | null;
}

interface Gathered {
  readonly attribution: UsageAttribution;
  readonly reading: DockerDiskReading | null;
  readonly atMs: number;
  readonly monotonicMs: number;
  readonly tookMs: number;
}

/** Gathers in the background who fills Docker's disk, one gathering at a time, and keeps the last good one. */
export class DockerAttributor {
  readonly #options: DockerAttributorOptions;
  readonly #closed = new AbortController();
  #gathered: Gathered | null = null;
  #error: string | null = null;
  #attemptedMs: number | null = null;
  #isRemote = false;
  #refreshing: Promise<void> | null = null;

  constructor(options: DockerAttributorOptions) {
    this.#options = options;
  }

  /** What is known; null before the first gathering that succeeded. */
  latest(): LatestAttribution | null {
    if (this.#gathered === null) return null;
    const { attribution, reading, atMs, monotonicMs } = this.#gathered;
    const ageMs = Math.max(0, Math.round(this.#options.clock.monotonicMs() - monotonicMs));
    return { attribution, reading, atMs, ageMs, isRefreshing: this.#refreshing !== null, error: this.#error };
  }

  /** Why the last attempt failed; null when it didn't, or there was none. */
  get lastError(): string | null {
    return this.#error;
  }

  /** A remote engine's use of its disk; null before it is known. */
  apiUsage(): ApiUsage | null {
    const latest = this.latest();
    if (latest === null) return null;
    const { attribution, atMs, ageMs } = latest;
    return { usedBytes: attribution.accountedBytes, atMs, stale: ageMs > 4 * REMOTE_INTERVAL_MS };
  }

  /** Whether it is time to gather anew, by what the last gathering took. */
  isDue(): boolean {
    if (this.#attemptedMs === null) return true;
    const usual = Math.max(MIN_INTERVAL_MS, INTERVAL_FACTOR * (this.#gathered?.tookMs ?? 0));
    const intervalMs = this.#isRemote ? REMOTE_INTERVAL_MS : usual;
    return this.#options.clock.monotonicMs() - this.#attemptedMs >= intervalMs;
  }

  /** Gathers, or waits for the gathering that is under way; never rejects. The signal ends the waiting alone. */
  async refresh(signal: AbortSignal): Promise<void> {
    this.#refreshing ??= this.#gather().finally(() => {
      this.#refreshing = null;
    });
    const refreshing = this.#refreshing;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener("abort", done);
        resolve();
      };
      if (signal.aborted) done();
      signal.addEventListener("abort", done, { once: true });
      void refreshing.then(done);
    });
  }

  /** Ends a gathering that is under way, and waits for it. */
  async close(): Promise<void> {
    this.#closed.abort(new PoolError("aborted", "the pool was closed"));
    await this.#refreshing;
  }

  async #gather(): Promise<void> {
    const { clock, locate, measure } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#attemptedMs = startedMs;
    try {
      const located = await locate();
      if (located === null) throw new PoolError("unreachable", "no engine answers");
      const { engine, isRemote } = located;
      this.#isRemote = isRemote;
      const limits = { what: "gathering who fills Docker's disk", deadlineMs: DEADLINE_MS };
      const [usage, logs] = await withDeadline(
        clock,
        { ...limits, outer: this.#closed.signal },
        async (signal) => {
          const found = await engine.diskUsage(signal);
          return [
            found,
            isRemote ? unknownLogs(found) : await this.#logSizes(engine, found, signal),
          ] as const;
        },
      );
      const measurement = isRemote ? null : await measure();
      const reading = measurement?.kind === "detected" ? toDiskReading(measurement) : null;
      // What the engine says of itself explains itself.
      const usedBytes = reading === null || reading.source === "engineApi" ? null : reading.usedBytes;
      const tookMs = clock.monotonicMs() - startedMs;
      this.#gathered = {
        attribution: attributeUsage(usage, logs, usedBytes),
        reading,
        atMs: clock.nowMs(),
        monotonicMs: clock.monotonicMs(),
        tookMs,
      };
      this.#error = null;
    } catch (error) {
      // Shown with what is known: an engine that is away is no reason to forget what it held.
      this.#error = error instanceof Error ? error.message : String(error);
      if (!(error instanceof PoolError)) throw error;
    }
  }

  async #logSizes(engine: AttributedEngine, usage: EngineDiskUsage, signal: AbortSignal): Promise<LogSizes> {
    const sizes = new Map<string, number | null>();
    for (const { id } of usage.containers.slice(MAX_LOGS)) sizes.set(id, null);
    const queue = usage.containers.slice(0, MAX_LOGS).map(({ id }) => id);
    const work = async (): Promise<void> => {
      for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
        sizes.set(id, await this.#logBytes(engine, id, signal));
      }
    };
    await Promise.all(Array.from({ length: INSPECT_AT_ONCE }, work));
    return sizes;
  }

  /** A container's log with its older parts; 0 when it has none, null when it can't be read. */
  async #logBytes(engine: AttributedEngine, id: string, signal: AbortSignal): Promise<number | null> {
    let path: string;
    try {
      path = (await engine.containerInspect(id, signal)).LogPath ?? "";
    } catch (error) {
      if (error instanceof PoolError && error.code === "notFound") return 0;
      throw error;
    }
    // A driver that writes no files.
    if (path === "") return 0;
    let bytes = 0;
    for (let part = 0; part < MAX_LOG_PARTS; part++) {
      const found = await this.#sizeOf(part === 0 ? [path] : [`${path}.${part}`, `${path}.${part}.gz`]);
      if (found === "missing") return part === 0 ? 0 : bytes;
      if (found === null) return null;
      bytes += found;
    }
    return bytes;
  }

  /** What the first of these files takes up on its disk; null when nobody may look. */
  async #sizeOf(paths: readonly string[]): Promise<number | null | "missing"> {
    for (const path of paths) {
      try {
        const { blocks } = await this.#options.files.stat(path);
        return blocks * 512;
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) return null;
      }
    }
    return "missing";
  }
}

function unknownLogs({ containers }: EngineDiskUsage): LogSizes {
  return new Map(containers.map(({ id }) => [id, null]));
}
