import { type Clock, PoolError } from "@continuum/broker-core";
import {
  type EvictionLedger,
  type ImageUse,
  type JournalMarker,
  type LedgerEntry,
  MemoryLedger,
  MemoryUseStore,
  type UseStore,
} from "@continuum/pool-docker";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { type CacheLedgerQuery, type CacheLedgerStore, MemoryCacheLedger } from "./cache-ledger.js";
import { MemoryRecords } from "./memory-records.js";
import { type RecordBatch, type RecordStore, RESOLUTIONS, type SeriesQuery } from "./record-store.js";
import { rollUp } from "./roll-up.js";
import { salvage } from "./salvage.js";
import { setAside } from "./set-aside.js";
import { StateError } from "./state-error.js";
import { StateFile } from "./state-file.js";
import { StateReader } from "./state-reader.js";

/** What is wrong with the state now. */
export interface StateProblem {
  readonly text: string;
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

/** What the core remembers beyond its own life. Whoever opened it closes it. */
export interface CoreState extends UseStore, EvictionLedger, CacheLedgerStore, RecordStore {
  /** Whether what is written now survives the core. */
  readonly isDurable: boolean;
  /** What a person should know of it, the newest last; empty when all was well. */
  readonly notes: readonly string[];
  /** Why what is written now is lost, or may be; null when all is well. */
  readonly problem: StateProblem | null;
  /** How large its file is; null while there is none. */
  readonly sizeBytes: number | null;
  /** For a slow tick: tries again where the state is only in memory, and sees to the space that it keeps. */
  maintain(): void;
  close(): void;
}

/** Notes that are kept: a disk that damages the file again and again makes many. */
const MAX_NOTES = 20;
/** How long the start waits for a core that is ending to let go of the file, in ms: a stop takes 1.8 s at most. */
const WAIT_FOR_LOCK_MS = 2_000;
/** After a damaged file the next one is begun no sooner, in ms. */
const BEGIN_EVERY_MS = 60_000;

/** What a state is opened with. */
export interface OpenStateOptions {
  readonly directory: string;
  readonly log: Logger;
  readonly clock: Clock;
  /** How long another core that has the file is waited for, in ms; 2,000 when left out. */
  readonly waitForLockMs?: number;
}

/**
 * Opens the state in a directory; never fails. A damaged file is set aside, and what can still be read of it goes into a
 * new one; where none can be had the state is kept in memory until one can, and what was written meanwhile goes into it
 * then. A file that another core has stays that core's: this one keeps its state in memory as long as it runs.
 */
export function openState(options: OpenStateOptions): CoreState {
  return new DirectoryState(options);
}

/** What is remembered while there is no file. */
interface Memory {
  readonly uses: MemoryUseStore;
  readonly ledger: MemoryLedger;
  readonly cacheLedger: MemoryCacheLedger;
  readonly records: MemoryRecords;
  /** Lines of the ledger that the file has already. */
  knownLines: number;
  /** Deletions from cache directories that the file has already. */
  knownDeletions: number;
}

class DirectoryState implements CoreState {
  readonly notes: string[] = [];
  readonly #path: string;
  readonly #log: Logger;
  readonly #clock: Clock;
  #file: StateFile | null = null;
  #memory: Memory | null = null;
  #problem: StateProblem | null = null;
  #begunMs = -Infinity;
  /** Another core had the file while this one ran: what it wrote is never replaced by what this one knows. */
  #isAnothers = false;
  #isClosed = false;
  /** What the file was told and asked so far, for the one that takes its place should it be damaged. */
  readonly #told = { uses: new MemoryUseStore(), documents: new Map<string, unknown>() };

  constructor({ directory, log, clock, waitForLockMs = WAIT_FOR_LOCK_MS }: OpenStateOptions) {
    this.#path = join(directory, "state.db");
    this.#log = log;
    this.#clock = clock;
    try {
      this.#file = this.#open(waitForLockMs);
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      this.#rememberInMemory(error);
    }
  }

  get isDurable(): boolean {
    return this.#file !== null;
  }

  get problem(): StateProblem | null {
    return this.#problem;
  }

  get sizeBytes(): number | null {
    try {
      return this.#isClosed ? null : (this.#file?.sizeBytes ?? null);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      return null;
    }
  }

  load(): ReturnType<UseStore["load"]> {
    const loaded = this.#with(
      (file) => file.load(),
      ({ uses }) => uses.load(),
    );
    if (loaded.marker !== null) this.#told.uses.save(loaded.uses, [], loaded.marker);
    return loaded;
  }

  save(changed: ReadonlyMap<string, ImageUse>, removed: readonly string[], marker: JournalMarker): void {
    this.#told.uses.save(changed, removed, marker);
    this.#writing(
      (file) => file.save(changed, removed, marker),
      ({ uses }) => uses.save(changed, removed, marker),
    );
  }

  append(entry: Omit<LedgerEntry, "sequence">): number {
    return this.#writing(
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
    return this.#writing(
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
    const documents = this.#with(
      (file) => file.documents(namespace),
      ({ records }) => records.documents(namespace),
    );
    for (const [key, value] of documents) this.#told.documents.set(`${namespace}/${key}`, value);
    return documents;
  }

  write(batch: RecordBatch): { readonly droppedReadings: number } {
    for (const [name, value] of batch.documents) {
      if (value === null) this.#told.documents.delete(name);
      else this.#told.documents.set(name, value);
    }
    return this.#writing(
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
    if (this.#isClosed || this.#isAnothers) return;
    try {
      if (this.#file === null) this.#moveToFile();
      else this.#file.reserve();
    } catch (error) {
      if (!(error instanceof StateError || error instanceof PoolError)) throw error;
      if (error instanceof StateError && error.code === "locked") this.#leaveToAnother(error);
      this.#log.debug({ err: error }, `the state can't be kept in its file yet: ${error.message}`);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file?.close();
  }

  get #inMemory(): Memory {
    return (this.#memory ??= {
      uses: new MemoryUseStore(),
      ledger: new MemoryLedger(),
      cacheLedger: new MemoryCacheLedger(),
      records: new MemoryRecords(),
      knownLines: 0,
      knownDeletions: 0,
    });
  }

  /** As `#with`, and remembers whether what is written arrives. */
  #writing<T>(ofFile: (file: StateFile) => T, ofMemory: (memory: Memory) => T): T {
    try {
      const result = this.#with(ofFile, ofMemory);
      if (this.#file !== null) this.#problem = null;
      return result;
    } catch (error) {
      if (error instanceof PoolError) this.#becomeWrong(error.message);
      throw error;
    }
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
      const file = this.#replaceFile(error.cause as StateError);
      return file === null ? ofMemory(this.#inMemory) : ofFile(file);
    }
  }

  /** In place of the damaged file: a new one, with what is known, or the memory where none can be had. */
  #replaceFile(why: StateError): StateFile | null {
    this.#file?.close();
    this.#file = null;
    try {
      this.#file = this.#begin(why);
      this.#file.adopt({ ...EMPTY, documents: this.#told.documents, ...this.#told.uses.load() });
      return this.#file;
    } catch (error) {
      if (!(error instanceof StateError || error instanceof PoolError)) throw error;
      this.#file?.close();
      this.#file = null;
      const { uses, records } = this.#inMemory;
      const known = this.#told.uses.load();
      if (known.marker !== null) uses.save(known.uses, [], known.marker);
      records.write({ documents: this.#told.documents, readings: [] });
      this.#becomeWrong(error.message);
      this.#say(`${error.message}; the state is remembered in memory only, until a file can be had`);
      return null;
    }
  }

  #open(waitForLockMs = 0): StateFile {
    try {
      return new StateFile(this.#path, { waitForLockMs });
    } catch (error) {
      if (!(error instanceof StateError) || error.code !== "damaged") throw error;
      return this.#begin(error);
    }
  }

  /** Sets the damaged file aside, and begins a new one with what can be read of it. */
  #begin(why: StateError): StateFile {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#begunMs < BEGIN_EVERY_MS) throw why;
    this.#begunMs = nowMs;
    const aside = setAside(this.#path, this.#clock.nowMs());
    const file = new StateFile(this.#path);
    this.#say(
      `${why.message}; it was set aside as ${aside}, and a new one begun with ${salvage(aside, file)}`,
    );
    return file;
  }

  /** There is no file that can be written: what one holds all the same is remembered. */
  #rememberInMemory(why: StateError): void {
    if (why.code === "locked") {
      this.#leaveToAnother(why);
      return;
    }
    this.#becomeWrong(why.message);
    const where = "uses, evictions and counters are remembered in memory only, until it can be had";
    // A newer core's file is none of ours.
    const isOurs = why.code === "unwritable" || why.code === "full";
    if (!isOurs || !existsSync(this.#path)) {
      this.#say(`${why.message}; ${where}`);
      return;
    }
    const reader = new StateReader(this.#path);
    const { uses, ledger, cacheLedger, records } = this.#inMemory;
    const known = reader.uses();
    if (known.marker !== null) uses.save(known.uses, [], known.marker);
    records.write({ documents: reader.documents(), readings: [] });
    // Their sequences here are the memory's own.
    for (const entry of reader.ledger()) ledger.append(entry);
    for (const deletion of reader.deletions()) cacheLedger.appendDeletion(deletion);
    reader.close();
    this.#inMemory.knownDeletions = cacheLedger.deletions({ limit: Number.MAX_SAFE_INTEGER }).length;
    this.#inMemory.knownLines = ledger.page({ limit: Number.MAX_SAFE_INTEGER }).length;
    this.#say(`${why.message}; ${where}, from what it holds`);
  }

  /** For good: what this core counted since its start must not take the place of what the other one has written. */
  #leaveToAnother(why: StateError): void {
    this.#isAnothers = true;
    const text = `${why.message}: the state directory is in use`;
    this.#becomeWrong(text);
    this.#say(
      `${text}; what this core counts, deletes and sees is remembered in memory only as long as it runs: give it a --state-dir of its own`,
    );
  }

  /** What was remembered in memory goes into the file, and the file is used from now on. */
  #moveToFile(): void {
    const file = this.#open();
    const { uses, ledger, cacheLedger, records, knownLines, knownDeletions } = this.#inMemory;
    const deletions = [...cacheLedger.deletions({ limit: Number.MAX_SAFE_INTEGER })].reverse();
    const lines = [...ledger.page({ limit: Number.MAX_SAFE_INTEGER })].reverse();
    const { documents, readings } = records.all();
    try {
      file.adopt({
        documents,
        ...uses.load(),
        ledger: lines.slice(knownLines).map((entry) => ({ ...entry, sequence: null })),
        deletions: deletions.slice(knownDeletions),
        inbox: [],
        rollUps: RESOLUTIONS.map((resolution) => [resolution, rollUp(readings, resolution)]),
      });
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    this.#memory = null;
    this.#problem = null;
    this.#say(`the state is kept in ${this.#path} from now on`);
  }

  #becomeWrong(text: string): void {
    this.#problem = { text, sinceMs: this.#problem?.sinceMs ?? this.#clock.nowMs() };
  }

  #say(note: string): void {
    this.notes.push(note);
    if (this.notes.length > MAX_NOTES) this.notes.shift();
    this.#log.warn(note);
  }
}

const EMPTY = { ledger: [], deletions: [], inbox: [], rollUps: [] } as const;
