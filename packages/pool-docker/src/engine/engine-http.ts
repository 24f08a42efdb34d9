import { type Clock, PoolError, type PoolErrorCode } from "@continuum/broker-core";
import { z } from "zod";
import type { DockerEndpoint } from "../docker-host.js";
import { compareApiVersions, isApiVersion, negotiateApiVersion, OLDEST_API_VERSION } from "./api-version.js";
import { type HttpRequest, type HttpStream, HttpTransport } from "./http-transport.js";

/** An engine that lives answers within this. */
export const PROBE_DEADLINE_MS = 2_000;

/** One call of the API, without its version. */
export interface EngineCall {
  readonly method: HttpRequest["method"];
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Until the whole reply is there; of a stream, until it begins. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Calls of the Engine API: the version negotiated and pinned, replies checked, every failure a PoolError. */
export class EngineHttp {
  readonly #http: HttpTransport;
  #version: string | null = null;

  constructor(endpoint: DockerEndpoint, clock: Clock) {
    this.#http = new HttpTransport(endpoint, clock);
  }

  /** For messages: `Docker engine at unix:///...`. */
  get name(): string {
    return this.#http.name;
  }

  /** Asks for the version to speak and keeps to it, until the engine was away in between. */
  async negotiate(signal?: AbortSignal): Promise<string> {
    if (this.#version !== null) return this.#version;
    const request = { method: "GET", path: "/_ping", deadlineMs: PROBE_DEADLINE_MS, signal } as const;
    const { status, headers, text } = await this.#http.request(request);
    const offered = headers["api-version"];
    if (status >= 400) throw this.#failure(request, status, text);
    if (typeof offered !== "string" || !isApiVersion(offered)) {
      throw new PoolError("protocol", `${this.name} doesn't say which API it speaks: is it an engine?`);
    }
    if (compareApiVersions(offered, OLDEST_API_VERSION) < 0) {
      throw new PoolError(
        "protocol",
        `${this.name} speaks API ${offered}; at least ${OLDEST_API_VERSION} is needed`,
      );
    }
    this.#version = negotiateApiVersion(offered);
    return this.#version;
  }

  /** A call whose reply is JSON of a known shape; anything else is a PoolError `protocol`. */
  async json<T>(call: EngineCall, schema: z.ZodType<T>): Promise<T> {
    const { method, path } = call;
    const text = await this.text(call);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new PoolError("protocol", `${this.name}, ${method} ${path}: the reply is no JSON`, { cause });
    }
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const why = z.prettifyError(parsed.error).replaceAll("\n", " ").slice(0, 300);
    throw new PoolError("protocol", `${this.name}, ${method} ${path}: unexpected reply: ${why}`, {
      cause: parsed.error,
    });
  }

  /** A call whose reply is read whole. */
  text(call: EngineCall): Promise<string> {
    return this.#send(call, async (request) => {
      const { status, text } = await this.#http.request(request);
      return { status, text, value: text };
    });
  }

  /** A call whose reply is read as it comes; whoever gets it reads it to its end or aborts the signal. */
  stream(call: EngineCall): Promise<HttpStream> {
    return this.#send(call, async (request) => {
      const stream = await this.#http.stream(request);
      if (stream.status < 400) return { status: stream.status, text: "", value: stream };
      return { status: stream.status, text: await stream.text(), value: stream };
    });
  }

  /** Ends all connections; calls in flight fail. */
  close(): Promise<void> {
    return this.#http.close();
  }

  async #send<T>(
    { method, path, query = {}, deadlineMs, signal }: EngineCall,
    run: (
      request: HttpRequest,
    ) => Promise<{ readonly status: number; readonly text: string; readonly value: T }>,
  ): Promise<T> {
    const search = new URLSearchParams(query).toString();
    for (let isRetry = false; ; isRetry = true) {
      const version = await this.#guarded(() => this.negotiate(signal));
      const versioned = `/v${version}${path}${search === "" ? "" : `?${search}`}`;
      const request = { method, path: versioned, deadlineMs, signal };
      const { status, text, value } = await this.#guarded(() => run(request));
      if (status < 400) return value;
      // Another engine took this one's place without a connection ever having been refused.
      const isOtherVersion = status === 400 && /client version .* too (new|old)/i.test(text);
      if (isOtherVersion) this.#version = null;
      if (!isOtherVersion || isRetry) throw this.#failure(request, status, text);
    }
  }

  /** After a broken connection another engine may answer: its version is asked for anew. */
  async #guarded<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof PoolError && error.code !== "aborted") this.#version = null;
      throw error;
    }
  }

  #failure({ method, path }: Pick<HttpRequest, "method" | "path">, status: number, text: string): PoolError {
    const said = toErrorMessage(text);
    return new PoolError(
      toErrorCode(status, said),
      `${this.name}, ${method} ${path.replace(/\?.*/, "")}: ${said} (HTTP ${status})`,
    );
  }
}

/** Which failure a message of the engine's is, with the status that came with it. */
export function toErrorCode(status: number, said: string): PoolErrorCode {
  if (/no space left on device/i.test(said)) return "noSpace";
  if (status === 404) return "notFound";
  if (status === 409) return "conflict";
  return status === 401 || status === 403 ? "denied" : "failed";
}

function toErrorMessage(text: string): string {
  try {
    const parsed = z.object({ message: z.string() }).safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data.message.slice(0, 500);
  } catch {
    // Not JSON: the text itself is the message.
  }
  return text.trim().slice(0, 500) || "no message";
}
