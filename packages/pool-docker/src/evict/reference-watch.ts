import { type Clock, PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import type { InventoryImage } from "../plan/docker-inventory.js";
import { isQuarantineTag } from "./quarantine.js";

/** One event of the engine, as far as the watch reads it. */
export interface WatchedEvent {
  readonly type: string;
  readonly action: string;
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly atMs: number;
}

/** What the watch needs of an engine. */
export interface WatchedEngine {
  events(options: {
    readonly sinceMs?: number | null;
    readonly signal: AbortSignal;
  }): Promise<AsyncIterable<WatchedEvent>>;
}

/** Actions that mean: somebody wants this image, now. */
const IMAGE_ACTIONS = new Set(["pull", "tag", "load", "import", "create"]);
const CONTAINER_ACTIONS = new Set(["create", "start", "exec_start", "restart", "unpause"]);

/** How many names are remembered: an eviction takes minutes, not days. */
const MAX_NAMES = 20_000;

/**
 * Follows what comes into use while an eviction runs. The engine itself refuses to delete an image that a container
 * has; this one sees what it doesn't refuse: a pull, a tag or a run of the very image, a moment before or after.
 */
export class ReferenceWatch {
  readonly #touched = new Map<string, number>();
  readonly #abort = new AbortController();
  readonly #clock: Clock;
  #ended: Promise<void> = Promise.resolve();

  private constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves once events are being followed, or when they can't be: the checks before each deletion still hold then. */
  static async begin(engine: WatchedEngine, clock: Clock, log: DockerLog): Promise<ReferenceWatch> {
    const watch = new ReferenceWatch(clock);
    try {
      // An engine says that it is being followed a moment before it is: what happens in between is repeated.
      const events = await engine.events({ sinceMs: clock.nowMs(), signal: watch.#abort.signal });
      watch.#ended = watch.#follow(events, log);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      log.debug({ err: error }, `events aren't followed during the eviction: ${error.message}`);
    }
    return watch;
  }

  /** The name by which somebody took hold of the image at `sinceMs` or later; null when nobody did. */
  touchedSince(image: Pick<InventoryImage, "id" | "tags" | "digests">, sinceMs: number): string | null {
    const names = [image.id, ...image.tags, ...image.digests];
    return names.find((name) => (this.#touched.get(name) ?? -Infinity) >= sinceMs) ?? null;
  }

  /** Ends the following; resolves when nothing of it runs any more. */
  async close(): Promise<void> {
    this.#abort.abort(new PoolError("aborted", "the eviction is over"));
    await this.#ended;
  }

  async #follow(events: AsyncIterable<WatchedEvent>, log: DockerLog): Promise<void> {
    try {
      for await (const event of events) this.#note(event);
    } catch (error) {
      if (!this.#abort.signal.aborted) log.debug({ err: error }, "events broke off during the eviction");
    }
  }

  #note({ type, action, id, attributes }: WatchedEvent): void {
    // The engine's clock may be another one: what counts is when it was heard.
    const atMs = this.#clock.monotonicMs();
    // What an eviction itself does to an image's names is nobody's wish.
    if (type === "image" && isQuarantineTag(attributes["name"] ?? "")) return;
    if (type === "image" && IMAGE_ACTIONS.has(action)) {
      this.#touch(id, atMs);
      if (attributes["name"] !== undefined) this.#touch(attributes["name"], atMs);
    }
    if (type === "container" && CONTAINER_ACTIONS.has(action)) this.#touch(attributes["image"] ?? "", atMs);
  }

  #touch(name: string, atMs: number): void {
    if (name === "") return;
    this.#touched.delete(name);
    this.#touched.set(name, atMs);
    // As the engine may write it: without a tag, or without the id's algorithm.
    if (/^[0-9a-f]{64}$/.test(name)) this.#touched.set(`sha256:${name}`, atMs);
    if (!name.includes("@") && name.lastIndexOf(":") <= name.lastIndexOf("/")) {
      this.#touched.set(`${name}:latest`, atMs);
    }
    while (this.#touched.size > MAX_NAMES) {
      const [oldest] = this.#touched.keys();
      if (oldest === undefined) return;
      this.#touched.delete(oldest);
    }
  }
}
