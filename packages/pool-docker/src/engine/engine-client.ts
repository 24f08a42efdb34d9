import { type Clock, PoolError, type PoolErrorCode } from "@continuum/broker-core";
import { z } from "zod";
import type { DockerEndpoint } from "../docker-host.js";
import { compareApiVersions, isApiVersion, negotiateApiVersion, OLDEST_API_VERSION } from "./api-version.js";
import {
  type BuildCacheRecord,
  type BuildPruneResult,
  buildCacheUsageSchema,
  buildPruneSchema,
  containerListSchema,
  type EngineContainer,
  type EngineImage,
  type EngineImageDetail,
  type EngineInfo,
  engineInfoSchema,
  imageInspectSchema,
  imageListSchema,
  imageRemoveSchema,
} from "./engine-replies.js";
import { type HttpRequest, HttpTransport } from "./http-transport.js";

const PROBE_DEADLINE_MS = 2_000;
const LIST_DEADLINE_MS = 30_000;
const DISK_USAGE_DEADLINE_MS = 60_000;
/** Deleting large layers from a slow disk takes its time. */
const DELETE_DEADLINE_MS = 180_000;

/** What is sent of a prune of build cache. */
export interface BuildPruneOptions {
  /** The cache is left at this size, or just below it. */
  readonly keepBytes: number;
  /** Only what wasn't used for so long; 0 for no such condition. */
  readonly unusedForMs: number;
}

/** The calls that are used of the Docker Engine API. All failures are PoolErrors. */
export class EngineClient {
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

  /** Who the engine is and where it keeps its data. */
  info(signal?: AbortSignal): Promise<EngineInfo> {
    return this.#call("GET", "/info", {}, PROBE_DEADLINE_MS, engineInfoSchema, signal);
  }

  /** Every container, running or not. */
  containers(signal?: AbortSignal): Promise<readonly EngineContainer[]> {
    return this.#call("GET", "/containers/json", { all: "1" }, LIST_DEADLINE_MS, containerListSchema, signal);
  }

  /** Every image, tagged or not, with those that others are built on. */
  images(signal?: AbortSignal): Promise<readonly EngineImage[]> {
    return this.#call("GET", "/images/json", { all: "1" }, LIST_DEADLINE_MS, imageListSchema, signal);
  }

  /** One image in detail; PoolError `notFound` when it is gone. */
  imageInspect(image: string, signal?: AbortSignal): Promise<EngineImageDetail> {
    return this.#call(
      "GET",
      `/images/${toPathName(image)}/json`,
      {},
      LIST_DEADLINE_MS,
      imageInspectSchema,
      signal,
    );
  }

  /**
   * Removes a reference, or by id the image itself with parents that nobody else needs. Never by force: PoolError
   * `conflict` when it is in use. Gives the ids that were deleted; none when only a reference went.
   */
  async imageRemove(image: string, signal?: AbortSignal): Promise<readonly string[]> {
    const query = { force: "0", noprune: "0" };
    const path = `/images/${toPathName(image)}`;
    const said = await this.#call("DELETE", path, query, DELETE_DEADLINE_MS, imageRemoveSchema, signal);
    return said.flatMap(({ Deleted }) => (typeof Deleted === "string" ? [Deleted] : []));
  }

  /** Gives an image a further reference, `repository:tag`. */
  async tag(image: string, reference: string, signal?: AbortSignal): Promise<void> {
    const colon = reference.lastIndexOf(":");
    const query = { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) };
    await this.#send("POST", `/images/${toPathName(image)}/tag`, query, LIST_DEADLINE_MS, signal);
  }

  /** Every record of build cache. Slow on large hosts: before API 1.42 the engine computes all else with it. */
  async buildCache(signal?: AbortSignal): Promise<readonly BuildCacheRecord[]> {
    const isTyped = compareApiVersions(await this.negotiate(signal), "1.42") >= 0;
    const query = isTyped ? { type: "build-cache" } : {};
    const deadlineMs = DISK_USAGE_DEADLINE_MS;
    return (await this.#call("GET", "/system/df", query, deadlineMs, buildCacheUsageSchema, signal))
      .BuildCache;
  }

  /** Deletes build cache, least recently used first, record by record until what is left fits. */
  async buildPrune(
    { keepBytes, unusedForMs }: BuildPruneOptions,
    signal?: AbortSignal,
  ): Promise<BuildPruneResult> {
    const keep = String(keepBytes);
    const isRenamed = compareApiVersions(await this.negotiate(signal), "1.48") >= 0;
    const query = {
      all: "1",
      // Both from 1.48 on: what is kept at least and at most are the same here.
      ...(isRenamed ? { "reserved-space": keep, "max-used-space": keep } : { "keep-storage": keep }),
      ...(unusedForMs > 0
        ? { filters: JSON.stringify({ until: [`${Math.ceil(unusedForMs / 1000)}s`] }) }
        : {}),
    };
    return await this.#call("POST", "/build/prune", query, DELETE_DEADLINE_MS, buildPruneSchema, signal);
  }

  /** Ends all connections; calls in flight fail. */
  close(): Promise<void> {
    return this.#http.close();
  }

  async #call<T>(
    method: HttpRequest["method"],
    path: string,
    query: Readonly<Record<string, string>>,
    deadlineMs: number,
    schema: z.ZodType<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const text = await this.#send(method, path, query, deadlineMs, signal);
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

  async #send(
    method: HttpRequest["method"],
    path: string,
    query: Readonly<Record<string, string>>,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const search = new URLSearchParams(query).toString();
    for (let isRetry = false; ; isRetry = true) {
      const version = await this.#guarded(() => this.negotiate(signal));
      const versioned = `/v${version}${path}${search === "" ? "" : `?${search}`}`;
      const request = { method, path: versioned, deadlineMs, signal };
      const { status, text } = await this.#guarded(() => this.#http.request(request));
      if (status < 400) return text;
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

/** Names reach the URL's path as they are: only those that can be references or ids are let through. */
function toPathName(image: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.:/@-]*$/.test(image) && !image.includes("..")) return image;
  throw new PoolError("protocol", `"${image}" is neither an image's id nor a reference`);
}

function toErrorCode(status: number, said: string): PoolErrorCode {
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
