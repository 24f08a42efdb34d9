import { type Clock, PoolError, withDeadline } from "@continuum/broker-core";
import type { EngineDiskUsage } from "../engine/disk-usage.js";
import type { DockerMeasurement } from "../probe/docker-measurement.js";
import { toDiskReading } from "../probe/docker-measurement.js";
import type { HostFiles } from "../probe/host-files.js";
import type { ApiUsage } from "../probe/linux-engine-probe.js";
import type { DockerDiskReading } from "@continuum/wire-types";
import { attributeUsage, type LogSizes, type UsageAttribution } from "./attribute-usage.js";
import { type LoggedContainer, readLogSizes } from "./log-sizes.js";

/** Walking through all of a big host's images and volumes takes its time; no longer. */
const DEADLINE_MS = 60_000;
/** Between two gatherings at least this, and this many times what one takes: it costs the engine dearly. */
const MIN_INTERVAL_MS = 60_000;
const INTERVAL_FACTOR = 50;
/** A remote engine's figures are all that is known of its disk: gathered more often. */
const REMOTE_INTERVAL_MS = 15_000;

/** What gathering needs of an engine. */
export interface AttributedEngine {
  diskUsage(signal?: AbortSignal): Promise<EngineDiskUsage>;
  containerInspect(id: string, signal?: AbortSignal): Promise<LoggedContainer>;
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

  /**
   * A remote engine's use of its disk; null before it is known. There is nothing else to measure it by, so that it is
   * gathered anew in the background as soon as it is due.
   */
  apiUsage(): ApiUsage | null {
    this.#isRemote = true;
    if (this.isDue()) void this.refresh(this.#closed.signal);
    const latest = this.latest();
    if (latest === null) return null;
    const { attribution, atMs, ageMs } = latest;
    // Without its images a disk would seem emptier than it is.
    if (attribution.categories.some(({ kind, bytes }) => kind === "image" && bytes === null)) return null;
    return { usedBytes: attribution.accountedBytes, atMs, stale: ageMs > 4 * REMOTE_INTERVAL_MS };
  }

  /** Whether it is time to gather anew, by what the last gathering took, or that is under way. */
  isDue(): boolean {
    if (this.#refreshing !== null) return true;
    if (this.#attemptedMs === null) return true;
    const usual = Math.max(MIN_INTERVAL_MS, INTERVAL_FACTOR * (this.#gathered?.tookMs ?? 0));
    const intervalMs = this.#isRemote ? REMOTE_INTERVAL_MS : usual;
    return this.#options.clock.monotonicMs() - this.#attemptedMs >= intervalMs;
  }

  /**
   * Gathers, or waits for the gathering that is under way; the signal ends the waiting alone. What the engine or the disk
   * does wrong is kept as the `error` of what is known; only a bug rejects.
   */
  async refresh(signal: AbortSignal): Promise<void> {
    this.#refreshing ??= this.#gather().finally(() => {
      this.#refreshing = null;
    });
    let stop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      await Promise.race([this.#refreshing, stopped]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** Ends a gathering that is under way, and waits for it. */
  async close(): Promise<void> {
    this.#closed.abort(new PoolError("aborted", "the pool was closed"));
    // Whoever waited for it heard of its error.
    await this.#refreshing?.catch(() => undefined);
  }

  async #gather(): Promise<void> {
    const { clock, files, locate, measure } = this.#options;
    const startedMs = clock.monotonicMs();
    this.#attemptedMs = startedMs;
    try {
      const limits = { what: "gathering who fills Docker's disk", deadlineMs: DEADLINE_MS };
      const { usage, logs, measurement } = await withDeadline(
        clock,
        { ...limits, outer: this.#closed.signal },
        async (signal) => {
          const located = await locate();
          if (located === null) throw new PoolError("unreachable", "no engine answers");
          const { engine, isRemote } = located;
          this.#isRemote = isRemote;
          const usage = await engine.diskUsage(signal);
          if (isRemote) return { usage, logs: unknownLogs(usage), measurement: null };
          const inspect = (id: string) => engine.containerInspect(id, signal);
          const ids = usage.containers.map(({ id }) => id);
          const logs = await readLogSizes(ids, { inspect, files });
          return { usage, logs, measurement: await measure() };
        },
      );
      const reading = measurement?.kind === "detected" ? toDiskReading(measurement) : null;
      // What the engine says of itself explains itself; an old reading would explain another time.
      const isIndependent = reading !== null && reading.source !== "engineApi" && !reading.stale;
      const usedBytes = isIndependent ? reading.usedBytes : null;
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
}

function unknownLogs({ containers }: EngineDiskUsage): LogSizes {
  return new Map(containers.map(({ id }) => [id, null]));
}
