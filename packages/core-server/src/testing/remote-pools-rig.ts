import { type PoolPolicy, PressureBroker, type ReliefOutcome } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import type { CommandParams, CommandResult, PoolEvictRequest } from "@continuum/wire-types";
import { expect } from "vitest";
import { createRemotePoolsModule } from "../modules/remote-pools-module.js";
import { RequestError } from "../request-error.js";
import type { CommandHandlers, RequestConnection, RequestContext } from "../runtime/command-handlers.js";

type Command = "system/pool-register" | "system/pool-report" | "system/pool-unregister";

/** A connection that a test closes, and what was sent over it. */
export class FakeConnection implements Pick<RequestConnection, "id" | "send" | "onClosed"> {
  readonly requests: PoolEvictRequest[] = [];
  isClosed = false;
  readonly #listeners = new Set<() => void>();

  constructor(readonly id: number) {}

  get listenerCount(): number {
    return this.#listeners.size;
  }

  send(event: string, data: unknown): boolean {
    if (this.isClosed) return false;
    expect(event).toBe("pool-evict");
    this.requests.push(data as PoolEvictRequest);
    return true;
  }

  onClosed(run: () => void): () => void {
    if (this.isClosed) {
      run();
      return () => undefined;
    }
    this.#listeners.add(run);
    return () => this.#listeners.delete(run);
  }

  close(): void {
    this.isClosed = true;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A broker, the module over it, and connections to call it by; nothing moves but by the clock. */
export class Rig {
  readonly clock = new ManualClock();
  readonly errors: string[] = [];
  readonly outcomes: ReliefOutcome[] = [];
  /** What subscribers hear of. */
  readonly told: ReliefOutcome[] = [];
  readonly broker = new PressureBroker({
    clock: this.clock,
    policy: { cooldownMs: 0 },
    onError: (error) => this.errors.push(String(error)),
  });
  readonly module;
  #connections = 0;

  constructor(policy: Partial<PoolPolicy> = {}) {
    this.module = createRemotePoolsModule({ broker: this.broker, clock: this.clock, policy });
    this.broker.addAlertSink((_alert, outcome) => void this.told.push(outcome));
  }

  connect(): FakeConnection {
    return new FakeConnection((this.#connections += 1));
  }

  call<C extends Command>(
    command: C,
    params: CommandParams<C>,
    connection: FakeConnection,
  ): CommandResult<C> {
    // The compiler sees the union of all handlers; the name picks one of them.
    const handler = this.module.handlers[command] as unknown as CommandHandlers[C];
    // All of a context that these handlers touch.
    const context = { connection } as unknown as RequestContext;
    const result = handler(params, context);
    return result as CommandResult<C>;
  }

  register(
    connection: FakeConnection,
    params: Partial<CommandParams<"system/pool-register">> = {},
  ): CommandResult<"system/pool-register"> {
    const usual = { name: "kv", capacityBytes: 1_000, usedBytes: 500, reportEveryMs: 1_000 };
    return this.call("system/pool-register", { ...usual, ...params }, connection);
  }

  report(
    connection: FakeConnection,
    params: Partial<CommandParams<"system/pool-report">> = {},
  ): CommandResult<"system/pool-report"> {
    return this.call("system/pool-report", { name: "kv", usedBytes: 500, ...params }, connection);
  }

  unregister(connection: FakeConnection, name = "kv"): boolean {
    return this.call("system/pool-unregister", { name }, connection).removed;
  }

  /** A round of the broker; what it started ends when it ends. */
  async round(): Promise<void> {
    const { done } = await this.broker.relieve();
    void done.then((outcomes) => this.outcomes.push(...outcomes));
    await this.clock.advance(0);
  }

  /** A hot pool of a connection, asked to evict. */
  async asked(connection: FakeConnection, params: Partial<CommandParams<"system/pool-register">> = {}) {
    this.register(connection, { usedBytes: 900, ...params });
    await this.round();
    const request = connection.requests.at(-1);
    if (request === undefined) throw new Error("it wasn't asked");
    return request;
  }

  async isStale(name = "kv"): Promise<boolean | null> {
    return (await this.broker.read(name))?.stale ?? null;
  }
}

/** What a refusal says. */
export function refusal(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (error instanceof RequestError) return error.detail;
    throw error;
  }
  throw new Error("it wasn't refused");
}
