import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** What a proxy can do to the bytes between a client and a core. */
export const FAULTS = ["delay", "fragment", "cut", "truncate", "halfClose", "reorder", "stall"] as const;

/** One of them. */
export type Fault = (typeof FAULTS)[number];

/** How many of each were injected. */
export type FaultCounts = { readonly [F in Fault]: number };

/** The longest that bytes are held back, in ms. */
const MAX_HOLD_MS = 20;

/**
 * Stands between clients and a core, on Unix sockets, and injects faults into both directions, chunk by chunk:
 * `delay` holds a chunk back, `fragment` writes it in pieces, `cut` resets the connection, `truncate` sends a part of a
 * chunk and ends, `halfClose` ends one direction, `reorder` holds a chunk until another connection's next one has
 * passed, `stall` stops reading for a while. Its owner closes it.
 */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #counts: Record<Fault, number> = {
    delay: 0,
    fragment: 0,
    cut: 0,
    truncate: 0,
    halfClose: 0,
    reorder: 0,
    stall: 0,
  };
  /** Let go when a chunk of another connection has passed. */
  readonly #held = new Map<number, () => void>();
  #connections = 0;

  private constructor(
    private readonly corePath: string,
    private readonly options: FaultProxyOptions,
  ) {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Listens on `path` for clients of the core at `corePath`. */
  static async start(path: string, corePath: string, options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(corePath, options);
    proxy.#server.listen(path);
    await once(proxy.#server, "listening");
    return proxy;
  }

  get counts(): FaultCounts {
    return { ...this.#counts };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    this.#connections += 1;
    const core = connect({ path: this.corePath, allowHalfOpen: true });
    const id = this.#connections;
    for (const socket of [client, core]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    this.#forward(client, core, id);
    this.#forward(core, client, id);
  }

  /** Each direction in order: a chunk waits until the one before it has been written. */
  #forward(from: Socket, to: Socket, id: number): void {
    let last = Promise.resolve();
    from.on("data", (chunk: Buffer) => {
      last = last.then(() => this.#pass(chunk, from, to, id));
    });
    from.on("end", () => {
      last = last.then(() => void to.end());
    });
    from.on("close", () => {
      // After what is still to be written, as the kernel would.
      last = last.then(() => {
        if (from.errored === null) to.end();
        else to.destroy();
      });
    });
  }

  async #pass(chunk: Buffer, from: Socket, to: Socket, id: number): Promise<void> {
    this.#releaseOthers(id);
    const { random, rate, faults } = this.options;
    const fault = random() < rate ? faults[Math.floor(random() * faults.length)] : undefined;
    if (fault === undefined) {
      to.write(chunk);
      return;
    }
    this.#counts[fault] += 1;
    const at = 1 + Math.floor(random() * Math.max(1, chunk.length - 1));
    switch (fault) {
      case "delay":
        await this.#wait(random() * MAX_HOLD_MS);
        to.write(chunk);
        return;
      case "fragment":
        for (let start = 0; start < chunk.length; start += at) {
          to.write(chunk.subarray(start, start + at));
          await new Promise((resolve) => setImmediate(resolve));
        }
        return;
      case "cut":
        from.destroy();
        to.destroy();
        return;
      case "truncate":
        to.end(chunk.subarray(0, at));
        from.destroy();
        return;
      case "halfClose":
        to.end(chunk);
        return;
      case "reorder":
        await new Promise<void>((resolve) => {
          this.#held.set(id, resolve);
          this.#later(resolve, MAX_HOLD_MS);
        });
        this.#held.delete(id);
        to.write(chunk);
        return;
      case "stall":
        from.pause();
        to.write(chunk);
        await this.#wait(random() * MAX_HOLD_MS);
        from.resume();
    }
  }

  #releaseOthers(id: number): void {
    for (const [other, release] of this.#held) if (other !== id) release();
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#later(resolve, ms));
  }

  #later(run: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

/** What a proxy injects. */
export interface FaultProxyOptions {
  readonly faults: readonly Fault[];
  /** The share of chunks that something happens to. */
  readonly rate: number;
  /** Numbers of [0, 1). */
  readonly random: () => number;
}
