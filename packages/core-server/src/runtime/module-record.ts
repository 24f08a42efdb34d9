import type { Clock } from "@continuum/broker-core";
import type { RuntimeModule, RuntimeModuleMetrics } from "@continuum/wire-types";
import type { Logger } from "pino";
import { toErrorText } from "../error-text.js";
import { RequestError } from "../request-error.js";
import type { RequestOwner } from "./command-handlers.js";
import { ConcurrencyGate } from "./concurrency-gate.js";
import { DurationHistogram } from "./duration-histogram.js";
import type { CoreEvent, EventBus } from "./event-bus.js";
import { Readiness } from "./readiness.js";
import type { ModuleProblem, ServiceModule } from "./service-module.js";
import type { TickLoop } from "./tick-loop.js";

/** A module in the runtime: its state, the limit on its requests, and what it did. */
export class ModuleRecord {
  readonly readiness: Readiness;
  loop: TickLoop | null = null;
  readonly #gate: ConcurrencyGate;
  readonly #durations = new DurationHistogram();
  readonly #counts = { requests: 0, failedRequests: 0, rejectedRequests: 0, events: 0, failedEvents: 0 };
  #state: RuntimeModule["state"] = "waiting";
  #sinceMs: number;
  #lastError: string | null = null;
  #unsubscribe = (): void => undefined;

  constructor(
    readonly module: ServiceModule,
    private readonly clock: Clock,
    maxQueued: number,
  ) {
    this.#gate = new ConcurrencyGate(module.name, module.maxConcurrency, maxQueued);
    this.readiness = new Readiness(module.name);
    this.#sinceMs = clock.nowMs();
  }

  get state(): RuntimeModule["state"] {
    return this.#state;
  }

  /** Goes over to a state; an error is kept as the module's last one. */
  become(state: RuntimeModule["state"], error?: unknown): void {
    if (error !== undefined && error !== null) this.#lastError = toErrorText(error);
    if (state === this.#state) return;
    this.#state = state;
    this.#sinceMs = this.clock.nowMs();
  }

  /** How a tick ended: one that fails makes the module degraded, one that doesn't makes it well again. */
  onTicked(error: unknown): void {
    if (this.#state === "ready" || this.#state === "degraded")
      this.become(error === null ? "ready" : "degraded", error);
  }

  /** Work that nobody waits for: if it fails, that is logged and seen, and ends nothing. */
  detach(work: Promise<unknown>, log: Logger): void {
    const { name } = this.module;
    work.catch((error: unknown) => {
      this.#lastError = `work that nobody waited for failed: ${toErrorText(error)}`;
      log.error({ err: error, module: name }, `${name}: ${this.#lastError}`);
    });
  }

  /** Hears what the module subscribed to; an event on which it fails, now or later, harms nobody else. */
  listen(events: EventBus, log: Logger): void {
    this.#unsubscribe = events.subscribe(this.module.eventSubscriptions, (event: CoreEvent) => {
      this.#counts.events += 1;
      try {
        // It is to return nothing; one that is written as an async function gives a promise all the same.
        const onEvent: (event: CoreEvent) => unknown = this.module.onEvent.bind(this.module);
        const result = onEvent(event);
        if (result instanceof Promise) {
          this.detach(
            result.catch((error: unknown) => {
              this.#counts.failedEvents += 1;
              throw error;
            }),
            log,
          );
        }
      } catch (error) {
        this.#counts.failedEvents += 1;
        this.#lastError = toErrorText(error);
        throw error;
      }
    });
  }

  /** Hears nothing more. */
  deafen(): void {
    this.#unsubscribe();
  }

  /** Runs a request within the module's limit, and counts it; gives what it gives, at once if it can. */
  run<T>(task: () => T | Promise<T>, owner: RequestOwner): T | Promise<T> {
    const startedMs = this.clock.monotonicMs();
    return this.#gate.run(task, owner, (failure) => this.#count(failure, startedMs));
  }

  /** As `runtime/list` shows it. */
  toListed(): RuntimeModule {
    const { name, priority, commandPrefixes, essential } = this.module;
    const problem = this.#state === "ready" ? this.#problem() : null;
    return {
      name,
      priority,
      state: problem === null ? this.#state : "degraded",
      essential,
      commandPrefixes: [...commandPrefixes],
      tickMs: this.loop?.intervalMs ?? null,
      sinceMs: problem?.sinceMs ?? this.#sinceMs,
      lastError: problem?.text ?? this.#lastError,
    };
  }

  /** What is wrong with a module that is up. */
  #problem(): ModuleProblem | null {
    const runningForMs = this.loop?.runningForMs ?? 0;
    if (this.loop?.isHung === true) {
      const text = `its tick has run for ${Math.round(runningForMs / 1000)} s`;
      return { text, sinceMs: this.clock.nowMs() - Math.round(runningForMs) };
    }
    try {
      return this.module.problem?.() ?? null;
    } catch (error) {
      return { text: toErrorText(error), sinceMs: this.clock.nowMs() };
    }
  }

  /** As `runtime/metrics` shows it. */
  toMetrics(): RuntimeModuleMetrics {
    const ticks = this.loop?.counts;
    return {
      name: this.module.name,
      ticks: ticks?.ticks ?? 0,
      slowTicks: ticks?.slow ?? 0,
      missedTicks: ticks?.missed ?? 0,
      failedTicks: ticks?.failed ?? 0,
      lastTickMs: ticks?.lastMs ?? null,
      maxTickMs: ticks?.maxMs ?? null,
      ...this.#counts,
      inFlight: this.#gate.running,
      queued: this.#gate.waiting,
      p50RequestMs: this.#durations.quantileMs(0.5),
      p99RequestMs: this.#durations.quantileMs(0.99),
    };
  }

  #count(failure: { readonly error: unknown } | null, startedMs: number): void {
    const isRejected = failure?.error instanceof RequestError && failure.error.code === "overloaded";
    this.#counts[isRejected ? "rejectedRequests" : "requests"] += 1;
    if (failure !== null && !isRejected) this.#counts.failedRequests += 1;
    this.#durations.add(this.clock.monotonicMs() - startedMs);
  }
}
