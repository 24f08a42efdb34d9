import { PoolError } from "@continuum/broker-core";
import type { ManualClock } from "@continuum/broker-core/testing";
import type { EngineEvent } from "../engine/engine-events.js";
import type { JournalEngine } from "../journal/journal-engine.js";

/** An engine with images and containers, which remembers its last 256 events and repeats them. */
export class ScriptedEngine implements JournalEngine {
  readonly images_ = new Map<string, { tags: string[]; layers: string[] }>();
  readonly containers_ = new Map<
    string,
    { image: string; startedAtMs: number | null; finishedAtMs: number | null }
  >();
  /** True uses, by image: what the journal is held against. */
  readonly trueUses = new Map<string, number[]>();
  log: EngineEvent[] = [];
  inspects = 0;
  isDown = false;
  #listeners = new Set<{ push(event: EngineEvent): void; end(error: Error): void }>();
  #nano = 0n;

  constructor(private readonly clock: ManualClock) {}

  emit(
    type: "container" | "image",
    action: string,
    id: string,
    attributes: Record<string, string> = {},
  ): void {
    const atMs = this.clock.nowMs();
    this.#nano = BigInt(atMs) * 1_000_000n > this.#nano ? BigInt(atMs) * 1_000_000n : this.#nano + 1n;
    const event: EngineEvent = { type, action, id, attributes, atMs, timeNano: String(this.#nano) };
    this.log = [...this.log, event].slice(-256);
    for (const listener of this.#listeners) listener.push(event);
  }

  /** A use as the engine sees it, at this moment. */
  run(container: string, image: string): void {
    this.containers_.set(container, { image, startedAtMs: this.clock.nowMs(), finishedAtMs: null });
    this.trueUses.set(image, [...(this.trueUses.get(image) ?? []), this.clock.nowMs()]);
    this.emit("container", "start", container, { image });
  }

  remove(container: string): void {
    this.containers_.delete(container);
    this.emit("container", "destroy", container);
  }

  breakOff(): void {
    for (const listener of this.#listeners) listener.end(new PoolError("unreachable", "gone"));
  }

  /** As after a restart: what was remembered is gone. */
  restart(): void {
    this.breakOff();
    this.log = [];
  }

  events({
    sinceMs,
    signal,
  }: {
    readonly sinceMs?: number | null;
    readonly signal: AbortSignal;
  }): Promise<AsyncIterable<EngineEvent>> {
    if (this.isDown) return Promise.reject(new PoolError("unreachable", "down"));
    const queue: EngineEvent[] =
      sinceMs === null || sinceMs === undefined ? [] : this.log.filter(({ atMs }) => atMs >= sinceMs);
    const failures: Error[] = [];
    let wake: () => void = () => undefined;
    const listener = {
      push: (event: EngineEvent) => {
        queue.push(event);
        wake();
      },
      end: (error: Error) => {
        failures.push(error);
        wake();
      },
    };
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => listener.end(new PoolError("aborted", "over")), { once: true });
    const listeners = this.#listeners;
    return Promise.resolve(
      (async function* () {
        try {
          for (;;) {
            for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield event;
            const [failure] = failures;
            if (failure !== undefined) throw failure;
            await new Promise<void>((resolve) => (wake = resolve));
          }
        } finally {
          listeners.delete(listener);
        }
      })(),
    );
  }

  containers(): Promise<{ Id: string; ImageID: string }[]> {
    return Promise.resolve([...this.containers_].map(([Id, { image }]) => ({ Id, ImageID: image })));
  }

  containerInspect(id: string): ReturnType<JournalEngine["containerInspect"]> {
    this.inspects++;
    const found = this.containers_.get(id);
    if (found === undefined) return Promise.reject(new PoolError("notFound", id));
    const { image, startedAtMs, finishedAtMs } = found;
    return Promise.resolve({ Image: image, State: { StartedAt: startedAtMs, FinishedAt: finishedAtMs } });
  }

  images(): Promise<{ Id: string }[]> {
    return Promise.resolve([...this.images_.keys()].map((Id) => ({ Id })));
  }

  imageInspect(name: string): ReturnType<JournalEngine["imageInspect"]> {
    const found = [...this.images_].find(([id, { tags }]) => id === name || tags.includes(name));
    if (found === undefined) return Promise.reject(new PoolError("notFound", name));
    return Promise.resolve({ Id: found[0], RootFS: { Layers: found[1].layers } });
  }
}
