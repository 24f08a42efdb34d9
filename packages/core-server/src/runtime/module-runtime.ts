import type { Clock } from "@continuum/broker-core";
import type { RuntimeModule, RuntimeModuleMetrics } from "@continuum/wire-types";
import type { Logger } from "pino";
import { CoreError } from "../core-error.js";
import { toErrorText } from "../error-text.js";
import { RequestError } from "../request-error.js";
import type { RequestOwner } from "./command-handlers.js";
import { DEFAULT_MAX_QUEUED } from "./concurrency-gate.js";
import { DurationHistogram } from "./duration-histogram.js";
import type { EventBus } from "./event-bus.js";
import { ModuleRecord } from "./module-record.js";
import type { ServiceModule } from "./service-module.js";
import { TickLoop } from "./tick-loop.js";
import { endsWithin } from "./within.js";

/** What a runtime needs from its core. */
export interface ModuleRuntimeOptions {
  readonly modules: readonly ServiceModule[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventBus;
  /** Requests that wait for a busy module, each, before more are refused; `DEFAULT_MAX_QUEUED` when left out. */
  readonly maxQueued?: number;
}

/** A module that hasn't started by then has failed to, in ms. */
const START_WITHIN_MS = 30_000;
/** A module, its tick included, that hasn't stopped by then isn't waited for, in ms. */
const STOP_WITHIN_MS = 1_000;

/** Starts and stops the modules in order, and owns their ticks, their events and the limits on their requests. */
export class ModuleRuntime {
  /** How late the event loop noticed that ticks were due. Measuring it more often would wake an idle core for that alone. */
  readonly delays = new DurationHistogram();
  readonly #ordered: readonly ModuleRecord[];
  readonly #records: ReadonlyMap<string, ModuleRecord>;
  readonly #abort = new AbortController();
  #started: ModuleRecord[] = [];

  /** Throws a CoreError `routes` when two modules have one name. */
  constructor(private readonly options: ModuleRuntimeOptions) {
    const { clock, maxQueued = DEFAULT_MAX_QUEUED } = options;
    this.#ordered = [...options.modules]
      .sort((a, b) => a.priority - b.priority || (a.name < b.name ? -1 : 1))
      .map((module) => new ModuleRecord(module, clock, maxQueued));
    this.#records = new Map(this.#ordered.map((record) => [record.module.name, record]));
    if (this.#records.size < this.#ordered.length) {
      throw new CoreError("routes", "two modules have the same name");
    }
  }

  /** The modules in the order in which they start. */
  get modules(): readonly ServiceModule[] {
    return this.#ordered.map(({ module }) => module);
  }

  /** Whether every module that the core can't be without is up; a degraded one is. */
  get isReady(): boolean {
    return this.#ordered.every(
      ({ module, state }) => !module.essential || state === "ready" || state === "degraded",
    );
  }

  /** How the modules are, in the order in which they start. */
  list(): readonly RuntimeModule[] {
    return this.#ordered.map((record) => record.toListed());
  }

  /** What the modules did, by name. */
  metrics(): readonly RuntimeModuleMetrics[] {
    const all = this.#ordered.map((record) => record.toMetrics());
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /**
   * Starts every module, each within half a minute. One that the core can do without may fail: it is logged, and its
   * requests are refused. When an essential one fails, stops those that started and throws a CoreError `moduleFailed`
   * that names it.
   */
  async start(): Promise<void> {
    for (const record of this.#ordered) {
      try {
        this.#abort.signal.throwIfAborted();
        await this.#startOne(record);
      } catch (error) {
        const { name, essential } = record.module;
        const message = `module ${name} failed to start: ${toErrorText(error)}`;
        record.become("failed", error);
        if (!essential && !this.#abort.signal.aborted) {
          this.options.log.error({ err: error, module: name }, `${message}; the core goes on without it`);
          record.readiness.end(unavailable(name, toErrorText(error)));
          continue;
        }
        await this.stop();
        throw new CoreError("moduleFailed", message, { cause: error });
      }
    }
  }

  /**
   * Stops the started modules in reverse order. One that fails to stop, or doesn't within a second, is logged, and the
   * others stop all the same.
   */
  async stop(): Promise<void> {
    this.#abort.abort();
    for (const { readiness } of this.#ordered) readiness.end();
    for (const record of this.#started.splice(0).reverse()) {
      const { module } = record;
      record.deafen();
      try {
        if (!(await endsWithin(stopOne(record), STOP_WITHIN_MS, this.options.clock))) {
          throw new Error(`it has not ended within ${STOP_WITHIN_MS / 1000} s, and isn't waited for`);
        }
        record.become("stopped");
      } catch (error) {
        const text = `module ${module.name} failed to stop: ${toErrorText(error)}`;
        record.become("failed", error);
        this.options.log.error({ err: error, module: module.name }, text);
      }
    }
  }

  /**
   * Runs a request of `module` within the module's limit, once the module has started: a request that comes early
   * waits. Gives what the task gives, at once if it can. Throws or rejects with a RequestError: `overloaded` beyond the module's queue, `tierUnavailable` for a module that
   * failed to start.
   */
  run<T>(module: string, task: () => T | Promise<T>, owner: RequestOwner): T | Promise<T> {
    const record = this.#records.get(module);
    if (record === undefined) throw new Error(`no module ${module}`);
    if (!record.readiness.isReady) return record.readiness.promise.then(() => record.run(task, owner));
    return record.run(task, owner);
  }

  async #startOne(record: ModuleRecord): Promise<void> {
    const { module } = record;
    const { clock, events } = this.options;
    const log = this.options.log.child({ module: module.name });
    record.become("starting");
    const starting = module.start({ log, clock, events, signal: this.#abort.signal });
    if (!(await endsWithin(starting, START_WITHIN_MS, clock))) {
      // Should it start after all, it isn't to run beside the others that go on without it.
      record.detach(
        starting.then(() => module.stop()),
        log,
      );
      throw new Error(`it has not started within ${START_WITHIN_MS / 1000} s`);
    }
    record.listen(events, log);
    if (module.tickIntervalMs !== null) {
      record.loop = new TickLoop({
        name: module.name,
        intervalMs: module.tickIntervalMs,
        tick: (signal) => module.tick(signal),
        clock,
        log,
        onDue: (lateMs) => this.delays.add(lateMs),
        onTicked: (error) => record.onTicked(error),
      });
    }
    this.#started.push(record);
    record.become("ready");
    record.readiness.begin();
    record.loop?.start();
  }
}

async function stopOne({ module, loop }: ModuleRecord): Promise<void> {
  await loop?.stop();
  await module.stop();
}

function unavailable(module: string, reason: string): RequestError {
  const text = `the module ${module} failed to start: ${reason}`;
  return new RequestError(text, { kind: "tierUnavailable", tier: module, reason });
}
