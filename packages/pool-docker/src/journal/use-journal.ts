import { type Clock, PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import { dropOldest } from "../drop-oldest.js";
import type { EngineEvent } from "../engine/engine-events.js";
import { isQuarantineTag } from "../evict/quarantine.js";
import { BaseIndex } from "./base-index.js";
import type { UseHistory } from "./image-use.js";
import type { JournalEngine } from "./journal-engine.js";
import type { UseBook } from "./use-book.js";
import { UseKeeper } from "./use-keeper.js";
import type { JournalMarker, UseStore } from "./use-store.js";

/** The engine remembers so many events; a replay of as many may have lost some. */
const REPLAY_LIMIT = 256;
const RECONNECT_FIRST_MS = 1_000;
const RECONNECT_MAX_MS = 60_000;
const INSPECT_AT_ONCE = 4;
/** Events that wait to be understood; more at once, and some count as lost. */
const MAX_PENDING = 2_000;
const MAX_CONTAINERS = 20_000;
/** So many events are known again when the engine repeats them. */
const MAX_REMEMBERED = 2 * REPLAY_LIMIT;
/** Events that are missed count as missed until so much later: of a storm of them not each marks every image. */
const MISSED_MS = 1_000;

const CONTAINER_USES = new Set(["create", "start", "die", "exec_start", "restart", "unpause"]);
const IMAGE_USES = new Set(["pull", "load", "tag", "create", "import"]);

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
  readonly #keeper: UseKeeper;
  readonly #book: UseBook;
  readonly #closed = new AbortController();
  readonly #containers = new Map<string, string>();
  readonly #remembered = new Set<string>();
  readonly #bases = new BaseIndex();
  #pending = 0;
  #missedUntilMs = 0;
  #isWatching = false;
  #engineProblem: string | null = null;
  #running: Promise<void> | null = null;
  #wake: () => void = () => undefined;

  constructor(options: UseJournalOptions) {
    this.#options = options;
    this.#keeper = new UseKeeper(options.store, options.clock);
    this.#book = this.#keeper.book;
  }

  /** The uses as they are known now. */
  history(): UseHistory {
    return this.#book.history;
  }

  status(): JournalStatus {
    return {
      watching: this.#isWatching,
      watchedSinceMs: this.#isWatching ? (this.#keeper.marker?.watchedSinceMs ?? null) : null,
      gapCount: this.#keeper.marker?.gapCount ?? 0,
      lastGapUntilMs: this.#keeper.marker?.lastGapUntilMs ?? null,
      imageCount: this.#book.size,
      problem: this.#engineProblem ?? this.#keeper.problem,
    };
  }

  /** Begins to follow the engine, and goes on until `close`. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Takes note of the layers of images, which others have asked for anyway: a build uses what it builds on. */
  noteLayers(images: readonly { readonly id: string; readonly layers: readonly string[] }[]): void {
    for (const { id, layers } of images) this.#bases.add(id, layers);
  }

  /** Ends the following and writes down what isn't yet. */
  async close(): Promise<void> {
    this.#closed.abort(new PoolError("aborted", "the journal was closed"));
    this.#wake();
    await this.#running;
    this.#keeper.close();
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
    const before = this.#keeper.marker;
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
      const isSettled = marker !== null && marker.isUnsettled !== true;
      const isCovered = isSettled && replay.hasLast && replay.count < REPLAY_LIMIT;
      if (!isCovered) this.#book.gap(ids, subscribedMs, clock.nowMs());
      // What was missed meanwhile stands in it already.
      const now = this.#keeper.marker;
      const watchedSinceMs = Math.max(subscribedMs, this.#missedUntilMs);
      this.#keeper.setMarker({
        engineId,
        lastEvent: now?.engineId === engineId ? now.lastEvent : null,
        watchedSinceMs: isCovered ? (now ?? marker).watchedSinceMs : watchedSinceMs,
        gapCount: (now?.gapCount ?? 0) + (isCovered || before === null ? 0 : 1),
        lastGapUntilMs: isCovered ? (now ?? marker).lastGapUntilMs : watchedSinceMs,
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
      signal.throwIfAborted();
      onEvent(event);
      // Repeated ones were counted before.
      const isOld = last !== null && BigInt(event.timeNano) <= BigInt(last.timeNano);
      if (isOld || this.#isKnown(event)) continue;
      this.#keeper.setMarker({
        ...(this.#keeper.marker ?? { watchedSinceMs: event.atMs, gapCount: 0, lastGapUntilMs: null }),
        engineId,
        lastEvent: { timeNano: event.timeNano, id: event.id },
        // Whoever begins after a break now must not take this event for a sign that nothing was missed.
        ...(this.#isWatching ? {} : { isUnsettled: true }),
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
      this.#bases.remove(id);
      this.#keeper.touch();
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
      this.#noteMissed();
      return;
    }
    this.#pending++;
    void this.#resolve(event, engine, signal)
      .catch((error: unknown) => {
        if (signal.aborted) return;
        this.#options.log.debug({ err: error }, "an event of the engine couldn't be understood");
        this.#noteMissed();
      })
      .finally(() => {
        this.#pending--;
      });
  }

  /** An event can't be understood, or there are too many: whatever is here may have been meant. */
  #noteMissed(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs < this.#missedUntilMs) return;
    this.#missedUntilMs = nowMs + MISSED_MS;
    this.#book.gap(this.#book.history.keys(), this.#missedUntilMs, nowMs);
    this.#keeper.touch();
    const { marker } = this.#keeper;
    if (marker === null) return;
    this.#keeper.setMarker({
      ...marker,
      gapCount: marker.gapCount + 1,
      watchedSinceMs: this.#missedUntilMs,
      lastGapUntilMs: this.#missedUntilMs,
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
      if (isNew) {
        for (const base of this.#bases.basesOf(Id, layers)) {
          if (this.#book.history.has(base)) this.#use(base, atMs);
        }
      }
      this.#bases.add(Id, layers);
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
    this.#bases.keepOnly(ids);
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
    this.#keeper.touch();
    return ids;
  }

  /** Learns in the background what the images here are made of, to know the bases of what is built later. */
  async #askLayers(engine: JournalEngine, ids: ReadonlySet<string>, signal: AbortSignal): Promise<void> {
    for (const id of ids) {
      if (!this.#bases.wants(id)) continue;
      try {
        this.#bases.add(id, (await engine.imageInspect(id, signal)).RootFS?.Layers ?? []);
      } catch (error) {
        if (!(error instanceof PoolError) || error.code === "unreachable" || error.code === "aborted")
          throw error;
      }
    }
  }

  #use(imageId: string, atMs: number): void {
    this.#book.use(imageId, atMs, this.#options.clock.nowMs());
    this.#keeper.touch();
  }

  #rememberContainer(id: string, imageId: string): void {
    this.#containers.set(id, imageId);
    dropOldest(this.#containers, MAX_CONTAINERS);
  }

  /** Whether an event was seen before: replays repeat some. */
  #isKnown({ timeNano, id, action }: EngineEvent): boolean {
    const key = `${timeNano} ${id} ${action}`;
    if (this.#remembered.has(key)) return true;
    this.#remembered.add(key);
    dropOldest(this.#remembered, MAX_REMEMBERED);
    return false;
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
