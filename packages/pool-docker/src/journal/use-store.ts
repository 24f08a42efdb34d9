import type { ImageUse, UseHistory } from "./image-use.js";

/** How far the events of an engine were followed. */
export interface JournalMarker {
  /** The engine, as it names itself. */
  readonly engineId: string;
  /** The newest event that was seen, to be known again in a replay; null when there was none. */
  readonly lastEvent: { readonly timeNano: string; readonly id: string } | null;
  /** Since when nothing went unseen. */
  readonly watchedSinceMs: number;
  readonly gapCount: number;
  readonly lastGapUntilMs: number | null;
  /** Events were taken before it was known whether others had been missed: what was unseen isn't said yet. */
  readonly isUnsettled?: boolean;
}

/** Where the uses of images are remembered. */
export interface UseStore {
  /** All of it, at the start. */
  load(): { readonly uses: UseHistory; readonly marker: JournalMarker | null };
  /** Writes what changed, all of it or nothing; durable when it returns, where the store is. Throws a PoolError. */
  save(changed: ReadonlyMap<string, ImageUse>, removed: readonly string[], marker: JournalMarker): void;
}

/** A store that ends with its process. */
export class MemoryUseStore implements UseStore {
  readonly #uses = new Map<string, ImageUse>();
  #marker: JournalMarker | null = null;

  load(): { readonly uses: UseHistory; readonly marker: JournalMarker | null } {
    return { uses: new Map(this.#uses), marker: this.#marker };
  }

  save(changed: ReadonlyMap<string, ImageUse>, removed: readonly string[], marker: JournalMarker): void {
    for (const [id, use] of changed) this.#uses.set(id, use);
    for (const id of removed) this.#uses.delete(id);
    this.#marker = marker;
  }
}
