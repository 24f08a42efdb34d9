import type { Clock } from "@continuum/broker-core";
import type { Logger } from "pino";
import { CoreError } from "../core-error.js";
import { toErrorText } from "../error-text.js";
import { ConcurrencyGate, DEFAULT_MAX_QUEUED } from "./concurrency-gate.js";
import type { EventBus } from "./event-bus.js";
import type { ServiceModule } from "./service-module.js";
import { type TickCounts, TickLoop } from "./tick-loop.js";

/** What a runtime needs from its core. */
export interface ModuleRuntimeOptions {
  readonly modules: readonly ServiceModule[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventBus;
  /** Requests that wait for a busy module, each, before more are refused; 1024 when left out. */
  readonly maxQueued?: number;
}

interface StartedModule {
  readonly module: ServiceModule;
  readonly loop: TickLoop | null;
  readonly unsubscribe: () => void;
}

/** Whether a module answers: requests wait for it to start, and fail when it never will. */
class Readiness {
  isReady = false;
  readonly promise: Promise<void>;
  #begin = (): void => undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor(private readonly name: string) {
    this.promise = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#fail = reject;
    });
    // Nobody may be waiting when it fails.
    this.promise.catch(() => undefined);
  }

  begin(): void {
    this.isReady = true;
    this.#begin();
  }

  end(): void {
    this.#fail(new Error(`module ${this.name} is not running`));
  }
}

/** Starts and stops the modules in order, and owns their ticks, their events and the limits on their requests. */
export class ModuleRuntime {
  readonly #ordered: readonly ServiceModule[];
  readonly #gates: ReadonlyMap<string, ConcurrencyGate>;
  readonly #readiness: ReadonlyMap<string, Readiness>;
  readonly #abort = new AbortController();
  #started: StartedModule[] = [];

  /** Throws a CoreError `routes` when two modules have one name. */
  constructor(private readonly options: ModuleRuntimeOptions) {
    this.#ordered = [...options.modules].sort(
      (a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1),
    );
    this.#gates = new Map(
      this.#ordered.map(({ name, maxConcurrency }) => [
        name,
        new ConcurrencyGate(name, maxConcurrency, options.maxQueued ?? DEFAULT_MAX_QUEUED),
      ]),
    );
    this.#readiness = new Map(this.#ordered.map(({ name }) => [name, new Readiness(name)]));
    if (this.#gates.size < this.#ordered.length) {
      throw new CoreError("routes", "two modules have the same name");
    }
  }

  /** The modules in the order in which they start. */
  get modules(): readonly ServiceModule[] {
    return this.#ordered;
  }

  /** What the ticks of each started module did, by module; a module without ticks is absent. */
  tickCounts(): ReadonlyMap<string, TickCounts> {
    return new Map(
      this.#started.flatMap(({ module, loop }) => (loop === null ? [] : [[module.name, loop.counts]])),
    );
  }

  /** Starts every module. When one fails, stops those that started and throws a CoreError `moduleFailed` that names it. */
  async start(): Promise<void> {
    for (const module of this.#ordered) {
      try {
        this.#abort.signal.throwIfAborted();
        await this.#startOne(module);
      } catch (error) {
        await this.stop();
        const message = `module ${module.name} failed to start: ${toErrorText(error)}`;
        throw new CoreError("moduleFailed", message, { cause: error });
      }
    }
  }

  /** Stops the started modules in reverse order; one that fails to stop is logged, and the others stop all the same. */
  async stop(): Promise<void> {
    this.#abort.abort();
    for (const readiness of this.#readiness.values()) readiness.end();
    for (const { module, loop, unsubscribe } of this.#started.splice(0).reverse()) {
      unsubscribe();
      try {
        await loop?.stop();
        await module.stop();
      } catch (error) {
        const text = `module ${module.name} failed to stop: ${toErrorText(error)}`;
        this.options.log.error({ err: error, module: module.name }, text);
      }
    }
  }

  /**
   * Runs a request of `module` within the module's limit, once the module has started: a request that comes early
   * waits. Rejects with a RequestError `overloaded` beyond the module's queue.
   */
  async run<T>(
    module: string,
    task: () => T | Promise<T>,
    owner: { readonly signal: AbortSignal },
  ): Promise<T> {
    const gate = this.#gates.get(module);
    const readiness = this.#readiness.get(module);
    if (gate === undefined || readiness === undefined) throw new Error(`no module ${module}`);
    if (!readiness.isReady) await readiness.promise;
    return gate.run(task, owner);
  }

  async #startOne(module: ServiceModule): Promise<void> {
    const { clock, events } = this.options;
    const log = this.options.log.child({ module: module.name });
    await module.start({ log, clock, events, signal: this.#abort.signal });
    const unsubscribe = events.subscribe(module.eventSubscriptions, (event) => module.onEvent(event));
    const loop =
      module.tickIntervalMs === null
        ? null
        : new TickLoop({
            name: module.name,
            intervalMs: module.tickIntervalMs,
            tick: (signal) => module.tick(signal),
            clock,
            log,
          });
    this.#started.push({ module, loop, unsubscribe });
    this.#readiness.get(module.name)?.begin();
    loop?.start();
  }
}
