import { type Clock, PoolError, withDeadline } from "@continuum/broker-core";
import { Agent } from "undici";
import { type DockerEndpoint, formatDockerEndpoint } from "../docker-host.js";
import { toPoolError } from "./to-pool-error.js";

/** No reply that is read here is larger on a host that works. */
const MAX_REPLY_BYTES = 64 * 2 ** 20;

/** No line of a stream is longer on an engine that works. */
const MAX_LINE_BYTES = 2 ** 20;

/** One request; `path` with its query, encoded. */
export interface HttpRequest {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One reply, read to its end. */
export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A reply that is read as it comes. */
export interface HttpStream {
  readonly status: number;
  /**
   * Its lines, without their ends. Throws a PoolError: `protocol` for a line of more than 1 MiB or a reply that breaks
   * off, `timeout` when nothing comes for `idleMs`, `aborted` when the request's signal aborts.
   */
  lines(options?: { readonly idleMs?: number }): AsyncGenerator<string, void, void>;
  /** All of it, for errors; `timeout` when it doesn't come within the request's deadline. */
  text(): Promise<string>;
}

/** HTTP to one engine: a deadline on every request, bounded replies, every failure a PoolError. */
export class HttpTransport {
  readonly #agent: Agent;
  readonly #origin: string;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #maxReplyBytes: number;

  constructor(endpoint: DockerEndpoint, clock: Clock, maxReplyBytes = MAX_REPLY_BYTES) {
    this.#clock = clock;
    this.#maxReplyBytes = maxReplyBytes;
    this.#name = `Docker engine at ${formatDockerEndpoint(endpoint)}`;
    this.#origin =
      endpoint.kind === "unix"
        ? "http://docker.invalid"
        : formatDockerEndpoint(endpoint).replace(/^tcp/, "http");
    // The deadline of each request takes the place of undici's own.
    const limits = { connections: 8, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 };
    this.#agent = new Agent(
      endpoint.kind === "unix" ? { ...limits, connect: { socketPath: endpoint.path } } : limits,
    );
  }

  /** For messages: `Docker engine at unix:///...`. */
  get name(): string {
    return this.#name;
  }

  /** Sends a request and reads its reply, whatever its status. */
  request({ method, path, deadlineMs, signal: outer }: HttpRequest): Promise<HttpReply> {
    const what = `${this.#name}, ${method} ${path.replace(/\?.*/, "")}`;
    return withDeadline(this.#clock, { what, deadlineMs, outer }, async (signal) => {
      let reply;
      try {
        reply = await this.#agent.request({ origin: this.#origin, method, path, signal });
      } catch (error) {
        throw toPoolError(error, this.#name);
      }
      const { statusCode: status, headers, body } = reply;
      const chunks: Buffer[] = [];
      let length = 0;
      try {
        for await (const chunk of body as AsyncIterable<Buffer>) {
          length += chunk.length;
          if (length > this.#maxReplyBytes) {
            throw new PoolError("protocol", `${what}: the reply is longer than ${this.#maxReplyBytes} bytes`);
          }
          chunks.push(chunk);
        }
      } catch (cause) {
        if (cause instanceof PoolError) throw cause;
        throw new PoolError("protocol", `${what}: the reply broke off after ${length} bytes`, { cause });
      }
      return { status, headers, text: Buffer.concat(chunks).toString("utf8") };
    });
  }

  /** Sends a request; resolves when its reply begins, within the deadline. The signal ends the reply, too. */
  async stream({ method, path, deadlineMs, signal }: HttpRequest): Promise<HttpStream> {
    const what = `${this.#name}, ${method} ${path.replace(/\?.*/, "")}`;
    const abort = new AbortController();
    const onAbort = (): void => {
      abort.abort(signal?.reason);
    };
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    const release = (): void => {
      signal?.removeEventListener("abort", onAbort);
    };
    let reply;
    try {
      reply = await withDeadline(this.#clock, { what, deadlineMs, outer: signal }, async (inner) => {
        inner.addEventListener("abort", onAbort, { once: true });
        try {
          return await this.#agent.request({ origin: this.#origin, method, path, signal: abort.signal });
        } catch (error) {
          throw toPoolError(error, this.#name);
        } finally {
          inner.removeEventListener("abort", onAbort);
        }
      });
    } catch (error) {
      release();
      abort.abort();
      throw error;
    }
    const body = reply.body as AsyncIterable<Buffer> & { destroy(): void };
    const chunks = this.#chunks(body, what, abort, release);
    return {
      status: reply.statusCode,
      lines: ({ idleMs } = {}) => this.#lines(chunks, what, abort, idleMs ?? null),
      text: async () => {
        const cancel = this.#clock.setTimeout(() => {
          abort.abort(new PoolError("timeout", `${what}: the reply took longer than ${deadlineMs} ms`));
        }, deadlineMs);
        const parts: Buffer[] = [];
        let length = 0;
        try {
          for await (const chunk of chunks) {
            parts.push(chunk);
            length += chunk.length;
            if (length > MAX_LINE_BYTES) break;
          }
        } finally {
          cancel();
        }
        return Buffer.concat(parts).toString("utf8");
      },
    };
  }

  async *#chunks(
    body: AsyncIterable<Buffer> & { destroy(): void },
    what: string,
    abort: AbortController,
    release: () => void,
  ): AsyncGenerator<Buffer, void, void> {
    try {
      yield* body;
    } catch (cause) {
      if (cause instanceof PoolError) throw cause;
      if (abort.signal.reason instanceof PoolError) throw abort.signal.reason;
      if (abort.signal.aborted) throw new PoolError("aborted", `${what} was aborted`, { cause });
      throw new PoolError("protocol", `${what}: the reply broke off`, { cause });
    } finally {
      release();
      // What isn't read to its end isn't wanted: the connection goes with it.
      body.destroy();
    }
  }

  async *#lines(
    chunks: AsyncGenerator<Buffer, void, void>,
    what: string,
    abort: AbortController,
    idleMs: number | null,
  ): AsyncGenerator<string, void, void> {
    let rest: Buffer[] = [];
    let length = 0;
    const watch = (): (() => void) =>
      idleMs === null
        ? () => undefined
        : this.#clock.setTimeout(() => {
            abort.abort(new PoolError("timeout", `${what}: nothing came for ${idleMs} ms`));
          }, idleMs);
    let cancel = watch();
    try {
      for await (const chunk of chunks) {
        cancel();
        let from = 0;
        for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
          const line = Buffer.concat([...rest, chunk.subarray(from, end)]).toString("utf8");
          rest = [];
          length = 0;
          from = end + 1;
          if (line.trim() !== "") yield line;
        }
        rest.push(chunk.subarray(from));
        length += chunk.length - from;
        if (length > MAX_LINE_BYTES) {
          throw new PoolError("protocol", `${what}: a line is longer than ${MAX_LINE_BYTES} bytes`);
        }
        cancel = watch();
      }
      const last = Buffer.concat(rest).toString("utf8");
      if (last.trim() !== "") yield last;
    } finally {
      cancel();
    }
  }

  /** Ends all connections; requests in flight fail. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
