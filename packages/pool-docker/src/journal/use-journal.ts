import { type Clock, PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import type { EngineEvent } from "../engine/engine-events.js";
import type { UseHistory } from "./image-use.js";
import { isQuarantineTag } from "../evict/quarantine.js";
import { UseBook } from "./use-book.js";
import type { JournalMarker, UseStore } from "./use-store.js";

/** The engine remembers so many events; a replay of as many may have lost some. */
const REPLAY_LIMIT = 256;
/** Changes are written down no later than this. */
const FLUSH_MS = 1_000;
/** A store that couldn't be written is tried again after this. */
const RETRY_FLUSH_MS = 5_000;
const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_MAX_MS = 60_000;
const INSPECT_AT_ONCE = 4;
/** Events that wait to be understood; more at once, and some count as lost. */
const MAX_PENDING = 2_000;
const MAX_CONTAINERS = 20_000;
/** So many events are known again when the engine repeats them. */
const MAX_REMEMBERED = 2 * REPLAY_LIMIT;
/** Layers of more images aren't asked for, to know what was built on what. */
const MAX_LAYERED = 20_000;

const CONTAINER_USES = new Set(["create", "start", "die", "exec_start", "restart", "unpause"]);
const IMAGE_USES = new Set(["pull", "load", "tag", "create", "import"]);

/** What the journal needs of an engine. */
export interface JournalEngine {
  events(options: {
    readonly sinceMs?: number | null;
    readonly signal: AbortSignal;
  }): Promise<AsyncIterable<EngineEvent>>;
  containers(signal?: AbortSignal): Promise<readonly { readonly Id: string; readonly ImageID: string }[]>;
  containerInspect(
    id: string,
    signal?: AbortSignal,
  ): Promise<{
    readonly Image: string;
    readonly State: { readonly StartedAt: number | null; readonly FinishedAt: number | null };
  }>;
  images(signal?: AbortSignal): Promise<readonly { readonly Id: string }[]>;
  imageInspect(
    image: string,
    signal?: AbortSignal,
  ): Promise<{
    readonly Id: string;
    readonly RootFS?: { readonly Layers?: readonly string[] | null | undefined } | null | undefined;
  }>;
}

/** What the journal works with. */
export interface UseJournalOptions {
  /** The engine as it is now, with the id that it gives itself; null when none answers. */
  readonly locate: () => Promise<{ readonly id: string; readonly engine: JournalEngine } | null>;
  readonly store: UseStore;
  readonly clock: Clock;
  readonly log: DockerLog;
  /** Between 0 and 1, for the time between two attempts; `Math.random` when left out. */
  readonly random?: () => number;
}

interface EventReading {
  readonly engine: JournalEngine;
  readonly engineId: string;
  /** The newest event that was seen before; older ones are repetitions. */
  readonly last: JournalMarker["lastEvent"];
  readonly onEvent: (event: EngineEvent) => void;
  readonly signal: AbortSignal;
}

/** How far the uses are known. */
export interface JournalStatus {
  readonly watching: boolean;
  /** Since when nothing went unseen; null while nobody watches. */
  readonly watchedSinceMs: number | null;
  readonly gapCount: number;
  readonly lastGapUntilMs: number | null;
  readonly imageCount: number;
  /** What keeps it from watching or writing; null when nothing does. */
  readonly problem: string | null;
}

/**
 * Remembers when each image was last used and how often: from the engine's events, which are followed all the time, and
 * from what containers say of themselves where nobody watched. What may have been used unseen is said to be so.
 *
 * Nothing throws out of it: an engine that is away is tried again, a store that can't be written too.
 */
export class UseJournal {
  readonly #options: UseJournalOptions;
  readonly #book: UseBook;
  readonly #closed = new AbortController();
  readonly #containers = new Map<string, string>();
  readonly #remembered = new Set<string>();
  readonly #bases = new Map<string, string[]>();
  #layered = new Set<string>();
  #marker: JournalMarker | null;
  #isMarkerDirty = false;
  #pending = 0;
  #isWatching = false;
  #engineProblem: string | null = null;
  #storeProblem: string | null = null;
  #running: Promise<void> | null = null;
  #cancelFlush: (() => void) | null = null;
  #wake: () => void = () => undefined;

  constructor(options: UseJournalOptions) {
    this.#options = options;
    let loaded: ReturnType<UseStore["load"]> = { uses: new Map(), marker: null };
    try {
      loaded = options.store.load();
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.#storeProblem = error.message;
    }
    this.#book = new UseBook(loaded.uses);
    this.#marker = loaded.marker;
  }

  /** The uses as they are known now. */
  history(): UseHistory {
    return this.#book.history;
  }

  status(): JournalStatus {
    return {
      watching: this.#isWatching,
      watchedSinceMs: this.#isWatching ? (this.#marker?.watchedSinceMs ?? null) : null,
      gapCount: this.#marker?.gapCount ?? 0,
      lastGapUntilMs: this.#marker?.lastGapUntilMs ?? null,
      imageCount: this.#book.size,
      problem: this.#engineProblem ?? this.#storeProblem,
    };
  }

  /** Begins to follow the engine, and goes on until `close`. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Takes note of the layers of images, which others have asked for anyway: a build uses what it builds on. */
  noteLayers(images: readonly { readonly id: string; readonly layers: readonly string[] }[]): void {
    for (const { id, layers } of images) this.#noteBase(id, layers);
  }

  /** Ends the following and writes down what isn't yet. */
  async close(): Promise<void> {
    this.#closed.abort(new PoolError("aborted", "the journal was closed"));
    this.#wake();
    await this.#running;
    this.#cancelFlush?.();
    this.#flush();
    this.#cancelFlush?.();
  }

  async #run(): Promise<void> {
    const { log, random = Math.random } = this.#options;
    let attempt = 0;
    while (!this.#isClosed()) {
      const startedMs = this.#options.clock.monotonicMs();
      try {
        await this.#follow();
      } catch (error) {
        if (this.#isClosed()) break;
        this.#engineProblem = error instanceof Error ? error.message : String(error);
        // A bug in here costs what is known of the uses, not the core.
        if (error instanceof PoolError) log.debug({ err: error }, `uses aren't followed: ${error.message}`);
        else log.warn({ err: error }, "the journal of uses failed, and begins anew");
      } finally {
        this.#isWatching = false;
      }
      // One that held for a while begins anew.
      if (this.#options.clock.monotonicMs() - startedMs > RECONNECT_MAX_MS) attempt = 0;
      const waitMs = Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** Math.min(attempt++, 10));
      await this.#sleep(waitMs * (0.5 + random() / 2));
    }
  }

  /** Follows one engine for as long as it can be followed; always ends by an error. */
  async #follow(): Promise<void> {
    const { locate, clock } = this.#options;
    const located = await locate();
    if (located === null) throw new PoolError("unreachable", "no engine answers");
    const { id: engineId, engine } = located;
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, this.#closed.signal]);
    const before = this.#marker;
    const marker = before?.engineId === engineId ? before : null;
    const last = marker?.lastEvent ?? null;
    try {
      // Subscribed before anything is listed: what happens in between is seen twice rather than never.
      const sinceMs = last === null ? null : Number(last.timeNano) / 1e6 - 1;
      const events = await engine.events({ sinceMs, signal });
      const subscribedMs = clock.nowMs();
      const replay = { count: 0, hasLast: false };
      const noteReplayed = (event: EngineEvent): void => {
        if (event.atMs <= subscribedMs) replay.count++;
        if (last?.timeNano === event.timeNano && last.id === event.id) replay.hasLast = true;
      };
      const reading = this.#read(events, { engine, engineId, last, onEvent: noteReplayed, signal });
      const listing = this.#list(engine, signal);
      // Whichever fails first ends both; the other's end is nobody's then.
      for (const each of [reading, listing]) each.catch(() => undefined);
      const ids = await Promise.race([listing, reading]);
      // The very last event that was seen is among the repeated ones, and they are not cut off: nothing was missed.
      const isCovered = marker !== null && replay.hasLast && replay.count < REPLAY_LIMIT;
      if (!isCovered) this.#book.gap(ids, subscribedMs, clock.nowMs());
      const isFirst = before === null;
      this.#setMarker({
        engineId,
        lastEvent: this.#marker?.engineId === engineId ? this.#marker.lastEvent : null,
        watchedSinceMs: isCovered ? marker.watchedSinceMs : subscribedMs,
        gapCount: (before?.gapCount ?? 0) + (isCovered || isFirst ? 0 : 1),
        lastGapUntilMs: isCovered ? marker.lastGapUntilMs : subscribedMs,
      });
      this.#engineProblem = null;
      this.#isWatching = true;
      await Promise.all([reading, this.#askLayers(engine, ids, signal)]);
    } finally {
      abort.abort(new PoolError("aborted", "the engine isn't followed any more"));
    }
  }

  async #read(
    events: AsyncIterable<EngineEvent>,
    { engine, engineId, last, onEvent, signal }: EventReading,
  ): Promise<never> {
    for await (const event of events) {
      onEvent(event);
      // Repeated ones were counted before.
      const isOld = last !== null && BigInt(event.timeNano) <= BigInt(last.timeNano);
      if (isOld || this.#isKnown(event)) continue;
      this.#setMarker({
        ...(this.#marker ?? { watchedSinceMs: event.atMs, gapCount: 0, lastGapUntilMs: null }),
        engineId,
        lastEvent: { timeNano: event.timeNano, id: event.id },
      });
      this.#take(event, engine, signal);
    }
    throw new PoolError("unreachable", "the engine's events ended");
  }

  /** Never waits: an engine drops who is slow to read its events. */
  #take(event: EngineEvent, engine: JournalEngine, signal: AbortSignal): void {
    const { type, action, id, atMs } = event;
    if (type === "image" && action === "delete") {
      this.#book.remove(id);
      this.#scheduleFlush();
      return;
    }
    if (type === "container" && action === "destroy") this.#containers.delete(id);
    if (type === "image" && isQuarantineTag(event.attributes["name"] ?? "")) return;
    const isUse = type === "container" ? CONTAINER_USES.has(action) : IMAGE_USES.has(action);
    if (!isUse) return;
    const known =
      type === "container" ? this.#containers.get(id) : this.#book.history.has(id) ? id : undefined;
    if (known !== undefined) {
      this.#use(known, atMs);
      return;
    }
    if (this.#pending >= MAX_PENDING) {
      // More than can be understood: whatever is here may have been meant.
      this.#book.gap(this.#book.history.keys(), this.#options.clock.nowMs(), this.#options.clock.nowMs());
      return;
    }
    this.#pending++;
    void this.#resolve(event, engine, signal)
      .catch((error: unknown) => {
        if (signal.aborted) return;
        this.#options.log.debug({ err: error }, "an event of the engine couldn't be understood");
        this.#book.gap(this.#book.history.keys(), this.#options.clock.nowMs(), this.#options.clock.nowMs());
      })
      .finally(() => {
        this.#pending--;
      });
  }

  /** Finds out which image an event is about: it may carry the user's words for it. */
  async #resolve(event: EngineEvent, engine: JournalEngine, signal: AbortSignal): Promise<void> {
    const { type, id, attributes, atMs } = event;
    if (type === "container") {
      try {
        const { Image } = await engine.containerInspect(id, signal);
        this.#rememberContainer(id, Image);
        this.#use(Image, atMs);
        return;
      } catch (error) {
        if (!(error instanceof PoolError && error.code === "notFound")) throw error;
        // It ended and was removed meanwhile: what it was made from is left by name.
      }
    }
    const name = type === "container" ? (attributes["image"] ?? "") : id;
    if (name === "") return;
    try {
      const { Id, RootFS } = await engine.imageInspect(name, signal);
      const isNew = !this.#book.history.has(Id);
      this.#use(Id, atMs);
      const layers = RootFS?.Layers ?? [];
      // What was just built or pulled on top of others: they were used by it.
      if (isNew) for (const base of this.#basesOf(Id, layers)) this.#use(base, atMs);
      this.#noteBase(Id, layers);
    } catch (error) {
      // Gone by now: there is nothing left whose use could matter.
      if (!(error instanceof PoolError && error.code === "notFound")) throw error;
    }
  }

  /** Takes stock: which images are here, and what their containers say of when they ran. */
  async #list(engine: JournalEngine, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const containers = await engine.containers(signal);
    const images = await engine.images(signal);
    const nowMs = this.#options.clock.nowMs();
    const ids = new Set(images.map(({ Id }) => Id));
    this.#book.keepOnly(ids, nowMs);
    const queue = [...containers];
    const work = async (): Promise<void> => {
      for (let each = queue.shift(); each !== undefined; each = queue.shift()) {
        try {
          const { Image, State } = await engine.containerInspect(each.Id, signal);
          this.#rememberContainer(each.Id, Image);
          for (const atMs of [State.StartedAt, State.FinishedAt]) {
            if (atMs !== null) this.#book.useKnownLater(Image, atMs, nowMs);
          }
        } catch (error) {
          if (!(error instanceof PoolError && error.code === "notFound")) throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: INSPECT_AT_ONCE }, work));
    this.#scheduleFlush();
    return ids;
  }

  /** Learns in the background what the images here are made of, to know the bases of what is built later. */
  async #askLayers(engine: JournalEngine, ids: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    for (const id of ids) {
      if (this.#layered.has(id) || this.#layered.size >= MAX_LAYERED) continue;
      try {
        this.#noteBase(id, (await engine.imageInspect(id, signal)).RootFS?.Layers ?? []);
      } catch (error) {
        if (!(error instanceof PoolError) || error.code === "unreachable" || error.code === "aborted")
          throw error;
      }
    }
  }

  #noteBase(id: string, layers: readonly string[]): void {
    if (layers.length === 0 || this.#layered.has(id) || this.#layered.size >= MAX_LAYERED) return;
    this.#layered.add(id);
    const chain = layers.join(" ");
    const there = this.#bases.get(chain);
    if (there === undefined) this.#bases.set(chain, [id]);
    else there.push(id);
  }

  #basesOf(id: string, layers: readonly string[]): readonly string[] {
    return layers.flatMap((_layer, i) => {
      const below = this.#bases.get(layers.slice(0, i + 1).join(" ")) ?? [];
      return below.filter((each) => each !== id && this.#book.history.has(each));
    });
  }

  #use(imageId: string, atMs: number): void {
    this.#book.use(imageId, atMs, this.#options.clock.nowMs());
    this.#scheduleFlush();
  }

  #rememberContainer(id: string, imageId: string): void {
    this.#containers.set(id, imageId);
    for (const oldest of this.#containers.keys()) {
      if (this.#containers.size <= MAX_CONTAINERS) break;
      this.#containers.delete(oldest);
    }
  }

  /** Whether an event was seen before: replays repeat some. */
  #isKnown({ timeNano, id, action }: EngineEvent): boolean {
    const key = `${timeNano} ${id} ${action}`;
    if (this.#remembered.has(key)) return true;
    this.#remembered.add(key);
    for (const oldest of this.#remembered) {
      if (this.#remembered.size <= MAX_REMEMBERED) break;
      this.#remembered.delete(oldest);
    }
    return false;
  }

  #setMarker(marker: JournalMarker): void {
    this.#marker = marker;
    this.#isMarkerDirty = true;
    this.#scheduleFlush();
  }

  #scheduleFlush(afterMs = FLUSH_MS): void {
    if (this.#cancelFlush !== null || this.#isClosed()) return;
    this.#cancelFlush = this.#options.clock.setTimeout(() => {
      this.#cancelFlush = null;
      this.#flush();
    }, afterMs);
  }

  #flush(): void {
    const marker = this.#marker;
    if (marker === null || !(this.#book.isDirty || this.#isMarkerDirty)) return;
    const changes = this.#book.takeChanges();
    this.#isMarkerDirty = false;
    try {
      this.#options.store.save(changes.changed, changes.removed, marker);
      this.#storeProblem = null;
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      // Kept in memory until it can be written.
      this.#storeProblem = error.message;
      this.#book.putBack(changes);
      this.#isMarkerDirty = true;
      this.#scheduleFlush(RETRY_FLUSH_MS);
    }
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.setTimeout(resolve, ms);
      this.#wake = () => {
        cancel();
        resolve();
      };
      if (this.#isClosed()) this.#wake();
    });
  }

  #isClosed(): boolean {
    return this.#closed.signal.aborted;
  }
}
