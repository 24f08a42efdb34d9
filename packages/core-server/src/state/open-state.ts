import { PoolError } from "@continuum/broker-core";
import {
  type EvictionLedger,
  type ImageUse,
  type JournalMarker,
  type LedgerEntry,
  MemoryLedger,
  MemoryUseStore,
  type UseStore,
} from "@continuum/pool-docker";
import { renameSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { type CacheLedgerQuery, type CacheLedgerStore, MemoryCacheLedger } from "./cache-ledger.js";
import { MemoryRecords } from "./memory-records.js";
import type { RecordBatch, RecordStore, SeriesQuery } from "./record-store.js";
import { StateError } from "./state-error.js";
import { StateFile } from "./state-file.js";

/** What the core remembers beyond its own life. Whoever opened it closes it. */
export interface CoreState extends UseStore, EvictionLedger, CacheLedgerStore, RecordStore {
  /** Whether what is written now survives the core. */
  readonly isDurable: boolean;
  /** What a person should know of how it was opened; empty when all is well. */
  readonly notes: readonly string[];
  /** For a slow tick: tries again where the state is only in memory, and sees to the space that it keeps. */
  maintain(): void;
  close(): void;
}

/**
 * Opens the state in a directory; never fails. A damaged file is set aside; where none can be had the state is kept in
 * memory until one can, and what was written meanwhile goes into it then.
 */
export function openState({
  directory,
  log,
}: {
  readonly directory: string;
  readonly log: Logger;
}): CoreState {
  return new DirectoryState(directory, log);
}

/** What is remembered while there is no file. */
interface Memory {
  readonly uses: MemoryUseStore;
  readonly ledger: MemoryLedger;
  readonly cacheLedger: MemoryCacheLedger;
  readonly records: MemoryRecords;
}

class DirectoryState implements CoreState {
  readonly notes: string[] = [];
  readonly #path: string;
  readonly #log: Logger;
  #file: StateFile | null = null;
  #memory: Memory | null = null;
  #isClosed = false;

  constructor(directory: string, log: Logger) {
    this.#path = join(directory, "state.db");
    this.#log = log;
    try {
      this.#file = this.#open();
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      this.#say(`${error.message}; uses and evictions are remembered in memory only, until it can be had`);
    }
  }

  get isDurable(): boolean {
    return this.#file !== null;
  }

  load(): ReturnType<UseStore["load"]> {
    return this.#with(
      (file) => file.load(),
      ({ uses }) => uses.load(),
    );
  }

  save(changed: ReadonlyMap<string, ImageUse>, removed: readonly string[], marker: JournalMarker): void {
    this.#with(
      (file) => file.save(changed, removed, marker),
      ({ uses }) => uses.save(changed, removed, marker),
    );
  }

  append(entry: Omit<LedgerEntry, "sequence">): number {
    return this.#with(
      (file) => file.append(entry),
      ({ ledger }) => ledger.append(entry),
    );
  }

  page(options: Parameters<EvictionLedger["page"]>[0]): readonly LedgerEntry[] {
    return this.#with(
      (file) => file.page(options),
      ({ ledger }) => ledger.page(options),
    );
  }

  byEviction(evictionId: string): readonly LedgerEntry[] {
    return this.#with(
      (file) => file.byEviction(evictionId),
      ({ ledger }) => ledger.byEviction(evictionId),
    );
  }

  byImage(id: string): readonly LedgerEntry[] {
    return this.#with(
      (file) => file.byImage(id),
      ({ ledger }) => ledger.byImage(id),
    );
  }

  appendDeletion(deletion: Parameters<CacheLedgerStore["appendDeletion"]>[0]): number {
    return this.#with(
      (file) => file.appendDeletion(deletion),
      ({ cacheLedger }) => cacheLedger.appendDeletion(deletion),
    );
  }

  deletions(query: CacheLedgerQuery): ReturnType<CacheLedgerStore["deletions"]> {
    return this.#with(
      (file) => file.deletions(query),
      ({ cacheLedger }) => cacheLedger.deletions(query),
    );
  }

  documents(namespace: string): ReadonlyMap<string, unknown> {
    return this.#with(
      (file) => file.documents(namespace),
      ({ records }) => records.documents(namespace),
    );
  }

  write(batch: RecordBatch): { readonly droppedReadings: number } {
    return this.#with(
      (file) => file.write(batch),
      ({ records }) => records.write(batch),
    );
  }

  series(query: SeriesQuery): ReturnType<RecordStore["series"]> {
    return this.#with(
      (file) => file.series(query),
      ({ records }) => records.series(query),
    );
  }

  maintain(): void {
    if (this.#isClosed) return;
    try {
      if (this.#file === null) this.#moveToFile();
      else this.#file.reserve();
    } catch (error) {
      if (!(error instanceof StateError || error instanceof PoolError)) throw error;
      this.#log.debug({ err: error }, `the state can't be kept in its file yet: ${error.message}`);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#file?.close();
  }

  get #inMemory(): Memory {
    return (this.#memory ??= {
      uses: new MemoryUseStore(),
      ledger: new MemoryLedger(),
      cacheLedger: new MemoryCacheLedger(),
      records: new MemoryRecords(),
    });
  }

  /** Asks the file, or the memory while there is none. A file that turns out to be damaged is set aside, and a new one asked. */
  #with<T>(ofFile: (file: StateFile) => T, ofMemory: (memory: Memory) => T): T {
    if (this.#file === null) return ofMemory(this.#inMemory);
    try {
      return ofFile(this.#file);
    } catch (error) {
      const isDamaged =
        error instanceof PoolError && error.cause instanceof StateError && error.cause.code === "damaged";
      if (!isDamaged || this.#isClosed) throw error;
      this.#file.close();
      this.#file = null;
      try {
        this.#file = this.#begin(error.message);
      } catch (why) {
        if (!(why instanceof StateError)) throw why;
        this.#say(`${why.message}; the state is remembered in memory only, until a file can be had`);
      }
      return this.#file === null ? ofMemory(this.#inMemory) : ofFile(this.#file);
    }
  }

  #open(): StateFile {
    try {
      return new StateFile(this.#path);
    } catch (error) {
      if (!(error instanceof StateError) || error.code !== "damaged") throw error;
      return this.#begin(error.message);
    }
  }

  /** Sets the damaged file aside and begins a new one. */
  #begin(why: string): StateFile {
    const aside = `${this.#path}.damaged-${Date.now()}`;
    renameIfThere(this.#path, aside);
    // The journal belongs to the damaged file: on another one it would do harm.
    renameIfThere(`${this.#path}-journal`, `${aside}-journal`);
    this.#say(`${why}; it was set aside as ${aside}, and a new one begun`);
    return new StateFile(this.#path);
  }

  /** What was remembered in memory goes into the file, and the file is used from now on. */
  #moveToFile(): void {
    const file = this.#open();
    const { uses, ledger, cacheLedger, records } = this.#inMemory;
    try {
      const known = uses.load();
      if (known.marker !== null) file.save(known.uses, [], known.marker);
      for (const entry of [...ledger.page({ limit: Number.MAX_SAFE_INTEGER })].reverse()) {
        file.append(entry);
      }
      for (const deletion of [...cacheLedger.deletions({ limit: Number.MAX_SAFE_INTEGER })].reverse()) {
        file.appendDeletion(deletion);
      }
      file.write(records.all());
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    this.#memory = null;
    this.#say(`the state is kept in ${this.#path} from now on`);
  }

  #say(note: string): void {
    this.notes.push(note);
    this.#log.warn(note);
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
