import { type Clock, PoolError } from "@continuum/broker-core";
import { z } from "zod";
import type { DockerEndpoint } from "../docker-host.js";
import { compareApiVersions } from "./api-version.js";
import { type EngineDiskUsage, parseBuildCache, parseDiskUsage } from "./disk-usage.js";
import { type EngineEvent, toEngineEvent } from "./engine-events.js";
import { EngineHttp, PROBE_DEADLINE_MS } from "./engine-http.js";
import {
  type BuildCacheRecord,
  type BuildPruneResult,
  buildPruneSchema,
  containerInspectSchema,
  containerListSchema,
  type EngineContainer,
  type EngineContainerDetail,
  type EngineHistoryLine,
  type EngineImage,
  type EngineImageDetail,
  type EngineInfo,
  engineInfoSchema,
  imageHistorySchema,
  imageInspectSchema,
  imageListSchema,
  imageRemoveSchema,
} from "./engine-replies.js";
import { toPullFailure } from "./pull-failure.js";

const LIST_DEADLINE_MS = 30_000;
const DISK_USAGE_DEADLINE_MS = 60_000;
/** Deleting large layers from a slow disk takes its time. */
const DELETE_DEADLINE_MS = 180_000;
/** A registry that sends nothing for so long is given up. */
const PULL_IDLE_MS = 60_000;
/** So many ids fit into a URL. */
const MAX_PRUNE_IDS = 64;

/** The calls that are used of the Docker Engine API. All failures are PoolErrors. */
export class EngineClient {
  readonly #http: EngineHttp;

  constructor(endpoint: DockerEndpoint, clock: Clock) {
    this.#http = new EngineHttp(endpoint, clock);
  }

  /** For messages: `Docker engine at unix:///...`. */
  get name(): string {
    return this.#http.name;
  }

  /** Asks for the version to speak and keeps to it, until the engine was away in between. */
  negotiate(signal?: AbortSignal): Promise<string> {
    return this.#http.negotiate(signal);
  }

  /** Who the engine is and where it keeps its data. */
  info(signal?: AbortSignal): Promise<EngineInfo> {
    return this.#http.json(
      { method: "GET", path: "/info", deadlineMs: PROBE_DEADLINE_MS, signal },
      engineInfoSchema,
    );
  }

  /** Every container, running or not; with sizes it walks through all that they wrote. */
  containers(
    signal?: AbortSignal,
    { withSizes = false }: { readonly withSizes?: boolean } = {},
  ): Promise<readonly EngineContainer[]> {
    const query = { all: "1", ...(withSizes ? { size: "1" } : {}) };
    const deadlineMs = withSizes ? DISK_USAGE_DEADLINE_MS : LIST_DEADLINE_MS;
    return this.#http.json(
      { method: "GET", path: "/containers/json", query, deadlineMs, signal },
      containerListSchema,
    );
  }

  /** One container in detail; PoolError `notFound` when it is gone. */
  containerInspect(id: string, signal?: AbortSignal): Promise<EngineContainerDetail> {
    const path = `/containers/${toPathName(id)}/json`;
    return this.#http.json(
      { method: "GET", path, deadlineMs: LIST_DEADLINE_MS, signal },
      containerInspectSchema,
    );
  }

  /** Removes a stopped container, never by force, and never its volumes; `conflict` when it runs. */
  async containerRemove(id: string, signal?: AbortSignal): Promise<void> {
    const query = { v: "0", force: "0", link: "0" };
    const path = `/containers/${toPathName(id)}`;
    await this.#http.text({ method: "DELETE", path, query, deadlineMs: DELETE_DEADLINE_MS, signal });
  }

  /** Every image, tagged or not, with those that others are built on. */
  images(signal?: AbortSignal): Promise<readonly EngineImage[]> {
    const query = { all: "1" };
    return this.#http.json(
      { method: "GET", path: "/images/json", query, deadlineMs: LIST_DEADLINE_MS, signal },
      imageListSchema,
    );
  }

  /** One image in detail; PoolError `notFound` when it is gone. */
  imageInspect(image: string, signal?: AbortSignal): Promise<EngineImageDetail> {
    const path = `/images/${toPathName(image)}/json`;
    return this.#http.json({ method: "GET", path, deadlineMs: LIST_DEADLINE_MS, signal }, imageInspectSchema);
  }

  /**
   * Removes a reference, or by id the image itself with parents that nobody else needs. Never by force: PoolError
   * `conflict` when it is in use. Gives the ids that were deleted; none when only a reference went.
   */
  async imageRemove(image: string, signal?: AbortSignal): Promise<readonly string[]> {
    const query = { force: "0", noprune: "0" };
    const path = `/images/${toPathName(image)}`;
    const call = { method: "DELETE", path, query, deadlineMs: DELETE_DEADLINE_MS, signal } as const;
    const said = await this.#http.json(call, imageRemoveSchema);
    return said.flatMap(({ Deleted }) => (typeof Deleted === "string" ? [Deleted] : []));
  }

  /** Gives an image a further reference, `repository:tag`. */
  async tag(image: string, reference: string, signal?: AbortSignal): Promise<void> {
    const colon = reference.lastIndexOf(":");
    const query = { repo: reference.slice(0, colon), tag: reference.slice(colon + 1) };
    const path = `/images/${toPathName(image)}/tag`;
    await this.#http.text({ method: "POST", path, query, deadlineMs: LIST_DEADLINE_MS, signal });
  }

  /** The lines of an image's history, from the base up. */
  async imageHistory(image: string, signal?: AbortSignal): Promise<readonly EngineHistoryLine[]> {
    const path = `/images/${toPathName(image)}/history`;
    const call = { method: "GET", path, deadlineMs: LIST_DEADLINE_MS, signal } as const;
    const newestFirst = await this.#http.json(call, imageHistorySchema);
    return newestFirst
      .map(({ CreatedBy, Size, Created }) => ({
        createdBy: CreatedBy,
        sizeBytes: Size,
        createdAtMs: typeof Created === "number" && Created > 0 ? Math.round(Created * 1000) : null,
      }))
      .reverse();
  }

  /**
   * Pulls an image by a reference with a digest. A reply of 200 is no success by itself: what the engine says in its
   * stream counts. PoolError `notFound`, `denied`, `noSpace`, `timeout` after a minute without a byte, or `failed`.
   */
  async imagePull({
    reference,
    signal,
  }: {
    readonly reference: string;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void> {
    toPathName(reference);
    const call = { method: "POST", path: "/images/create", query: { fromImage: reference } } as const;
    const stream = await this.#http.stream({ ...call, deadlineMs: PULL_IDLE_MS, signal });
    for await (const line of stream.lines({ idleMs: PULL_IDLE_MS })) {
      const failure = toPullFailure(line, `${this.name}, pull of ${reference}`);
      if (failure !== null) throw failure;
    }
  }

  /**
   * Follows what happens to containers and images from now on, or from `sinceMs` as far as the engine remembers (256
   * events at most). Resolves once it is being followed; ends by the signal, and throws a PoolError when the engine ends
   * it.
   */
  async events({
    sinceMs = null,
    signal,
  }: {
    readonly sinceMs?: number | null;
    readonly signal: AbortSignal;
  }): Promise<AsyncGenerator<EngineEvent, void, void>> {
    const query = {
      filters: JSON.stringify({ type: ["container", "image"] }),
      ...(sinceMs === null ? {} : { since: toSeconds(sinceMs) }),
    };
    const call = { method: "GET", path: "/events", query, deadlineMs: LIST_DEADLINE_MS, signal } as const;
    const stream = await this.#http.stream(call);
    return toEvents(stream.lines(), this.name);
  }

  /** Who holds what of the engine's disk: walks through all of it, so it takes from seconds to minutes on a big host. */
  async diskUsage(signal?: AbortSignal): Promise<EngineDiskUsage> {
    const isNew = compareApiVersions(await this.negotiate(signal), "1.52") >= 0;
    const value = await this.#diskUsage(isNew ? { verbose: "1" } : {}, signal);
    return parseDiskUsage(value, this.name);
  }

  /**
   * Every record of build cache; null when the engine doesn't say. Slow on large hosts: before API 1.42 the engine
   * computes all else with it.
   */
  async buildCache(signal?: AbortSignal): Promise<readonly BuildCacheRecord[] | null> {
    const version = await this.negotiate(signal);
    const query = {
      ...(compareApiVersions(version, "1.42") >= 0 ? { type: "build-cache" } : {}),
      ...(compareApiVersions(version, "1.52") >= 0 ? { verbose: "1" } : {}),
    };
    return parseBuildCache(await this.#diskUsage(query, signal), this.name);
  }

  /**
   * Deletes exactly these records of build cache, as far as nothing that stays was made from them.
   *
   * The engine's filter `id` takes one value and holds it against the ids as a regular expression: all of them go into
   * one, anchored at both ends. Nothing of the prune's other parameters, whose names change with the version, is needed.
   */
  async buildPruneIds(ids: readonly string[], signal?: AbortSignal): Promise<BuildPruneResult> {
    if (ids.length === 0 || ids.length > MAX_PRUNE_IDS) throw new RangeError(`${ids.length} records at once`);
    for (const id of ids) {
      if (!/^[a-z0-9]{1,128}$/u.test(id)) throw new PoolError("protocol", `"${id}" is no record's id`);
    }
    const filters = JSON.stringify({ id: [`"^(${ids.join("|")})$"`] });
    const call = { method: "POST", path: "/build/prune", query: { all: "1", filters } } as const;
    return await this.#http.json({ ...call, deadlineMs: DELETE_DEADLINE_MS, signal }, buildPruneSchema);
  }

  /** Ends all connections; calls in flight fail. */
  close(): Promise<void> {
    return this.#http.close();
  }

  #diskUsage(query: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Promise<unknown> {
    const call = { method: "GET", path: "/system/df", query, deadlineMs: DISK_USAGE_DEADLINE_MS } as const;
    return this.#http.json({ ...call, signal }, z.unknown());
  }
}

/** Whole milliseconds as exact seconds: rounded down, so that nothing from then on is left out. */
function toSeconds(ms: number): string {
  const text = String(Math.max(0, Math.floor(ms))).padStart(4, "0");
  return `${text.slice(0, -3)}.${text.slice(-3)}`;
}

/** Names reach the URL's path as they are: only those that can be references or ids are let through. */
function toPathName(image: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.:/@-]*$/.test(image) && !image.includes("..")) return image;
  throw new PoolError("protocol", `"${image}" is neither an image's id nor a reference`);
}

async function* toEvents(
  lines: AsyncIterable<string>,
  name: string,
): AsyncGenerator<EngineEvent, void, void> {
  for await (const line of lines) {
    const event = toEngineEvent(line, name);
    if (event !== null) yield event;
  }
  throw new PoolError("unreachable", `${name} ended the stream of its events`);
}
