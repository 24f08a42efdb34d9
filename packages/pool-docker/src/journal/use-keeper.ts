import { type Clock, PoolError } from "@continuum/broker-core";
import { UseBook } from "./use-book.js";
import type { JournalMarker, UseStore } from "./use-store.js";

/** Changes are written down no later than this. */
const FLUSH_MS = 1_000;
/** A store that couldn't be written is tried again after this. */
const RETRY_FLUSH_MS = 5_000;

/** The book of uses and how far it goes, loaded from a store and written there as they change. */
export class UseKeeper {
  readonly book: UseBook;
  readonly #store: UseStore;
  readonly #clock: Clock;
  #marker: JournalMarker | null;
  #isMarkerDirty = false;
  #problem: string | null = null;
  #cancelFlush: (() => void) | null = null;
  #isClosed = false;

  /** Begins with what the store has; one that can't be read is a `problem`, and the book begins empty. */
  constructor(store: UseStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    let loaded: ReturnType<UseStore["load"]> = { uses: new Map(), marker: null };
    try {
      loaded = store.load();
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.#problem = error.message;
    }
    this.book = new UseBook(loaded.uses);
    this.#marker = loaded.marker;
  }

  /** How far the uses are known; null before anything was. */
  get marker(): JournalMarker | null {
    return this.#marker;
  }

  /** What keeps it from reading or writing; null when nothing does. */
  get problem(): string | null {
    return this.#problem;
  }

  setMarker(marker: JournalMarker): void {
    this.#marker = marker;
    this.#isMarkerDirty = true;
    this.touch();
  }

  /** To be called when the book has changed: it is written down soon. */
  touch(): void {
    this.#schedule(FLUSH_MS);
  }

  /** Writes down what isn't yet; what can't be written now is lost. */
  close(): void {
    this.#isClosed = true;
    this.#cancelFlush?.();
    this.#flush();
  }

  #schedule(afterMs: number): void {
    if (this.#cancelFlush !== null || this.#isClosed) return;
    this.#cancelFlush = this.#clock.setTimeout(() => {
      this.#cancelFlush = null;
      this.#flush();
    }, afterMs);
  }

  #flush(): void {
    const marker = this.#marker;
    if (marker === null || !(this.book.isDirty || this.#isMarkerDirty)) return;
    const changes = this.book.takeChanges();
    this.#isMarkerDirty = false;
    try {
      this.#store.save(changes.changed, changes.removed, marker);
      this.#problem = null;
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      // Kept in memory until it can be written.
      this.#problem = error.message;
      this.book.putBack(changes);
      this.#isMarkerDirty = true;
      this.#schedule(RETRY_FLUSH_MS);
    }
  }
}
