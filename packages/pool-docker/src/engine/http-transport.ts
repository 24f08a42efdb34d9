import { type Clock, PoolError, withDeadline } from "@continuum/broker-core";
import { Agent } from "undici";
import { type DockerEndpoint, formatDockerEndpoint } from "../docker-host.js";
import { toPoolError } from "./to-pool-error.js";

/** No reply that is read here is larger on a host that works. */
const MAX_REPLY_BYTES = 64 * 2 ** 20;

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

  /** Ends all connections; requests in flight fail. */
  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}
