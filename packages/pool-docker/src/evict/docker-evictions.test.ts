import { ManualClock } from "@continuum/broker-core/testing";
import { beforeEach, describe, expect, it } from "vitest";
import { type LedgerEntry, MemoryLedger } from "../journal/eviction-ledger.js";
import type { StubDocker } from "../testing/stub-docker.js";
import { evict, HOUR, image, keys, never, BLOCK, StubPools } from "../testing/stub-pools.js";

/** A line about the first image. */
const line = (outcome: LedgerEntry["outcome"]): Omit<LedgerEntry, "sequence"> => ({
  atMs: 1,
  evictionId: "killed",
  planId: null,
  cause: "pressure",
  policy: "standard",
  kind: "image",
  id: image(1).id,
  name: "a:1",
  references: ["a:1"],
  digests: [],
  rule: "unusedImage",
  reason: "nobody uses it",
  outcome,
  detail: null,
  claimedBytes: 1,
  measuredBytes: null,
  restoreReference: null,
});

describe("eviction of Docker's disk", () => {
  const pools = new StubPools();
  const { create } = pools;
  const ids = (): readonly string[] => pools.ids();
  let docker: StubDocker;
  beforeEach(() => {
    docker = pools.docker;
  });

  it("prunes no more build cache than is wanted, and leaves images alone then", async () => {
    docker.images.push(image(1));
    for (let n = 0; n < 4; n++)
      docker.cache.push({ id: `c${n}`, sizeBytes: 50 * BLOCK, lastUsedAtMs: n + 1 });
    const result = await evict(create(), 60);
    expect(result).toMatchObject({ claimedBytes: 100 * BLOCK, shortfall: null });
    expect(docker.cache.map(({ id }) => id)).toEqual(["c2", "c3"]);
    expect(ids()).toHaveLength(1);
    const pruned = docker.engine.calls.filter((call) => call.startsWith("POST"));
    expect(pruned.map((call) => new URLSearchParams(call.split("?")[1]).get("filters"))).toEqual([
      JSON.stringify({ id: ['"^(c0|c1)$"'] }),
    ]);
    expect(docker.engine.calls.some((call) => call.startsWith("DELETE"))).toBe(false);
  });

  it("deletes the oldest unused images until it is enough, by id", async () => {
    docker.images.push(image(3), image(1), image(2), image(4, { tags: [] }));
    const pool = create();
    const result = await evict(pool, 150);
    expect(keys(result)).toEqual([image(4).id, image(1).id]);
    expect(result.shortfall).toBeNull();
    expect(await pool.read(never)).toMatchObject({ counters: { evictionCount: 2, entryCount: 2 } });
  });

  it("spares what is used, kept or young, and says why less was freed", async () => {
    const young = image(4, { createdAtMs: Date.now() - HOUR });
    docker.images.push(image(1), image(2, { labels: { "continuum.keep": "true" } }), image(3), young);
    docker.usedBy.push(image(1).id);
    const result = await evict(create({ minAgeMs: 24 * HOUR }), 400);
    expect(keys(result)).toEqual([image(3).id]);
    expect(result.shortfall).toMatch(/a container uses it.*label.*younger/s);
    expect(ids()).toEqual([image(1).id, image(2).id, young.id]);
  });

  it("deletes what no registry has only under the policy that may", async () => {
    docker.images.push(image(1), image(2, { digests: ["app@sha256:2"] }));
    expect(keys(await evict(create({ evict: "conservative" }), 200))).toEqual([image(2).id]);
  });

  it("looks again right before each deletion", async () => {
    docker.images.push(image(1), image(2), image(3));
    docker.intercept = ({ path, method }) => {
      if (method === "DELETE" && path.endsWith(image(1).id)) {
        docker.usedBy.push(image(2).id);
        docker.images.find(({ id }) => id === image(3).id)?.tags.push("app:latest");
      }
      return null;
    };
    const result = await evict(create(), 300);
    expect(keys(result)).toEqual([image(1).id]);
    expect(ids()).toEqual([image(2).id, image(3).id]);
  });

  it("gives an image its names back that comes into use a moment before it would go", async () => {
    docker.images.push(image(1, { tags: ["a:1", "a:2"] }), image(2));
    docker.intercept = ({ path, method }) => {
      // A run had found the image by name, and its container is there by now.
      if (method === "DELETE" && path.endsWith("a:2")) docker.usedBy.push(image(1).id);
      return null;
    };
    expect(keys(await evict(create(), 200))).toEqual([image(2).id]);
    expect(docker.images[0]?.tags.toSorted()).toEqual(["a:1", "a:2"]);
    const asked = docker.engine.calls.filter((call) => call.startsWith("DELETE"));
    expect(asked.some((call) => call.includes(image(1).id))).toBe(false);
  });

  it("gives back at its start the names that a killed eviction took, and what is asked for meanwhile waits", async () => {
    const ledger = new MemoryLedger();
    const hidden = "a:continuum-evicting-000000000001";
    docker.images.push(image(1, { tags: [hidden] }), image(2));
    ledger.append(line("intended"));
    const pool = create({ ledger });
    const plan = await pool.evictions.plan({ wantBytes: 1 }, "conservative", never);
    pool.start();
    // Refused for nothing but that a plan is empty: the recovery isn't an eviction that stands in the way.
    const { ended, state } = await pool.evictions.apply(plan.planId);
    await ended;
    expect(state().state).toBe("finished");
    expect(docker.images[0]?.tags).toContain("a:1");
  });

  it("takes the last tag's image away without losing names when the engine refuses", async () => {
    docker.images.push(image(1, { tags: ["a:1", "b:1"] }), image(2, { tags: ["c:1", "c:2"] }));
    docker.intercept = ({ path, method }) =>
      method === "DELETE" && path.endsWith(image(1).id) ? { status: 409, json: { message: "in use" } } : null;
    expect(keys(await evict(create(), 200))).toEqual([image(2).id]);
    expect(docker.images[0]?.tags.toSorted()).toEqual(["a:1", "b:1"]);
  });

  it("prunes the cache that shares an image's layers rather than deleting image after image for nothing", async () => {
    // The image's bytes are the cache's as well: they go when both are gone.
    docker.images.push(image(1, { sizeBytes: 0 }), image(2));
    docker.cache.push({ id: "shared", sizeBytes: 100 * BLOCK, shared: true, lastUsedAtMs: 1 });
    docker.otherBytes = 100 * BLOCK;
    const listed = image(1);
    docker.intercept = ({ path, method }) => {
      if (method === "GET" && path === "/images/json") {
        const [first, second] = [listed, image(2)].map(({ id, tags, sizeBytes, createdAtMs }) => ({
          Id: id,
          RepoTags: tags,
          Size: sizeBytes,
          Created: Math.floor(createdAtMs / 1000),
        }));
        return { json: [first, second] };
      }
      if (method === "DELETE" && path.endsWith(listed.id)) {
        docker.otherBytes = 0;
        docker.cache[0] = { id: "shared", sizeBytes: 100 * BLOCK, lastUsedAtMs: 1 };
      }
      return null;
    };
    const result = await evict(create(), 100);
    expect(result.deleted.map(({ kind }) => kind)).toEqual(["image", "build cache"]);
    expect(ids()).toEqual([image(2).id]);
  });

  it("goes on to images when build cache can't be had", async () => {
    docker.images.push(image(1));
    docker.intercept = ({ path }) =>
      path === "/system/df" ? { status: 500, json: { message: "df failed" } } : null;
    const result = await evict(create(), 200);
    expect(keys(result)).toEqual([image(1).id]);
  });

  it("ends an undo as failed, and says so, when something in it breaks", async () => {
    const ledger = new MemoryLedger();
    ledger.append(line("deleted"));
    docker.images.push(image(1, { tags: ["a:1"] }));
    const warned: string[] = [];
    const info = (): never => {
      throw new TypeError("a bug");
    };
    const log = { debug: () => undefined, info, warn: (_fields: object, text: string) => warned.push(text) };
    const pool = create({ ledger, log });
    const { state, ended } = await pool.evictions.undo({ image: "a:1" });
    expect(state()).toMatchObject({ state: "running", note: null });
    await ended;
    expect(state()).toMatchObject({
      state: "failed",
      note: "a bug",
      endedAtMs: expect.any(Number) as number,
    });
    expect(warned).toEqual(["an eviction ended by an unexpected error"]);
    await expect(pool.evictions.undo({ evictionId: "none" })).rejects.toMatchObject({
      detail: { kind: "evictionUnknown" },
    });
  });

  it("only says what it would delete when it is off", async () => {
    docker.images.push(image(1), image(2), image(3));
    docker.cache.push({ id: "c", sizeBytes: 50 * BLOCK, lastUsedAtMs: 1 });
    const result = await evict(create({ evict: "off" }), 150);
    expect(result).toMatchObject({ claimedBytes: 0, deleted: [] });
    expect(result.wouldDelete.map(({ kind }) => kind)).toEqual(["build cache", "image"]);
    expect(result.shortfall).toContain("--evict conservative");
    expect(docker.engine.calls.filter((call) => !call.startsWith("GET"))).toEqual([]);
    expect(docker.images).toHaveLength(3);
  });

  it("ends between two steps when it is aborted, and says what it has done", async () => {
    docker.images.push(image(1), image(2));
    const abort = new AbortController();
    docker.intercept = ({ path }) => {
      if (path === `/images/${image(2).id}/json` && !ids().includes(image(1).id)) abort.abort();
      return null;
    };
    const result = await evict(create(), 200, abort.signal);
    expect(keys(result)).toEqual([image(1).id]);
    expect(result.shortfall).toContain("ended early");
    expect(ids()).toEqual([image(2).id]);
  });

  it("never relieves the remembered root of one engine by deleting in another", async () => {
    docker.images.push(image(1));
    const clock = new ManualClock(Date.now());
    const pool = create({ clock });
    await pool.read(never);
    await clock.advance(11_000);
    let asked = 0;
    docker.intercept = ({ path }) => {
      if (path !== "/info") return null;
      asked += 1;
      // The engine fails to answer once; whoever answers next keeps its images elsewhere.
      if (asked === 1) return { status: 500, json: { message: "going down" } };
      const info = { ID: "OTHER", Name: "here", DockerRootDir: "/elsewhere", Driver: "overlay2" };
      return { json: { ...info, OperatingSystem: "stub", Images: 1 } };
    };
    await expect(evict(pool, 100)).rejects.toMatchObject({ code: "failed" });
    expect(asked).toBe(2);
    expect(ids()).toHaveLength(1);
  });

  it("doesn't say that it asked for a deletion when only the look before it was aborted", async () => {
    docker.images.push(image(1));
    const abort = new AbortController();
    docker.intercept = ({ path }) => {
      if (path !== `/images/${image(1).id}/json` || docker.engine.calls.length < 4) return null;
      abort.abort();
      return null;
    };
    const said: string[] = [];
    const log = (_fields: object, text: string): number => said.push(text);
    const pool = create({ log: { debug: log, info: log, warn: log } });
    await evict(pool, 100, abort.signal).catch(() => null);
    expect(ids()).toHaveLength(1);
    expect(said.filter((text) => text.includes("was asked to delete"))).toEqual([]);
  });

  it("never relieves one machine's disk on another", async () => {
    docker.images.push(image(1));
    docker.hostname = "elsewhere";
    docker.operatingSystem = "Docker Desktop";
    await expect(evict(create(), 100)).rejects.toMatchObject({ code: "notFound" });
    expect(ids()).toHaveLength(1);
  });
});
