import { type Clock, PoolError } from "@continuum/broker-core";
import { toErrorText } from "../error-text.js";
import type { PressureHistoryPoint } from "@continuum/wire-types";
import type { Logger } from "pino";
import type { KeptReading, RecordStore, SeriesQuery } from "./record-store.js";

/** What is told the keeper is on disk after this at the latest, in ms. */
const FLUSH_MS = 1_000;
/** Readings that wait while the disk won't have them, at most. */
const MAX_WAITING = 4_096;

/** Gathers what is to be kept and writes it at most once a second, all of it at once. Its owner closes it. */
export class RecordKeeper {
  #documents = new Map<string, unknown>();
  #readings: KeptReading[] = [];
  #flushedMs = -Infinity;
  #cancelTimer: (() => void) | null = null;
  #droppedReadings = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(
    private readonly options: { readonly store: RecordStore; readonly clock: Clock; readonly log: Logger },
  ) {}

  /** Readings that couldn't be kept. */
  get droppedReadings(): number {
    return this.#droppedReadings;
  }

  /** Documents of a namespace by key, with what isn't written yet. */
  documents(namespace: string): ReadonlyMap<string, unknown> {
    const all = new Map(this.options.store.documents(namespace));
    for (const [name, value] of this.#documents) {
      if (!name.startsWith(`${namespace}/`)) continue;
      const key = name.slice(namespace.length + 1);
      if (value === null) all.delete(key);
      else all.set(key, value);
    }
    return all;
  }

  /** Keeps a document of JSON; null removes it. */
  put(namespace: string, key: string, value: unknown): void {
    this.#documents.set(`${namespace}/${key}`, value);
    this.#schedule();
  }

  /** Keeps a reading; one with a figure that is none can't be. */
  add(reading: KeptReading): void {
    if (![reading.usedBytes, reading.capacityBytes, reading.pressure].every(Number.isFinite)) {
      this.#droppedReadings += 1;
      return;
    }
    this.#readings.push(reading);
    if (this.#readings.length > MAX_WAITING) {
      this.#droppedReadings += 1;
      this.#readings.shift();
    }
    this.#schedule();
  }

  /** Points of a series, with what isn't written yet where that can be written. */
  series(query: SeriesQuery): readonly PressureHistoryPoint[] {
    this.flush();
    return this.options.store.series(query);
  }

  /** Writes what waits; what can't be written waits on. */
  flush(): void {
    const { store, clock, log } = this.options;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (this.#documents.size === 0 && this.#readings.length === 0) return;
    this.#flushedMs = clock.monotonicMs();
    const batch = { documents: this.#documents, readings: this.#readings };
    try {
      this.#droppedReadings += store.write(batch).droppedReadings;
      this.#documents = new Map();
      this.#readings = [];
      if (this.#isFailing) log.warn("the state is written again");
      this.#isFailing = false;
    } catch (error) {
      // A bug, too, must not end the core from a timer: it is said, and what waits goes on waiting.
      const level = error instanceof PoolError ? "warn" : "error";
      if (!this.#isFailing)
        log[level]({ err: error }, `the state can't be written now: ${toErrorText(error)}`);
      this.#isFailing = true;
      this.#schedule();
    }
  }

  /** Writes what waits and stops its timer. */
  close(): void {
    this.#isClosed = true;
    this.flush();
  }

  #schedule(): void {
    if (this.#cancelTimer !== null || this.#isClosed) return;
    const { clock } = this.options;
    const sinceMs = clock.monotonicMs() - this.#flushedMs;
    // In a turn of its own also when it is due: what comes in the same turn is written with it.
    this.#cancelTimer = clock.setTimeout(() => this.flush(), Math.max(0, FLUSH_MS - sinceMs));
  }
}
