import { type EvictionResult, systemClock } from "@continuum/broker-core";
import { describePoolContract, ManualClock } from "@continuum/broker-core/testing";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MemoryLedger } from "./journal/eviction-ledger.js";
import { createDockerPool, type DockerPool, type DockerPoolOptions } from "./docker-pool.js";
import { StubDocker, type StubImage } from "./testing/stub-docker.js";

const BLOCK = 4096;
const HOUR = 3_600_000;
const never = new AbortController().signal;

function image(n: number, given: Partial<StubImage> = {}): StubImage {
  const id = `sha256:${String(n).padStart(64, "0")}`;
  const createdAtMs = Date.now() - (200 - n) * HOUR;
  return { id, tags: [`app:${n}`], sizeBytes: 100 * BLOCK, createdAtMs, ...given };
}

describe("the Docker pool", () => {
  let docker: StubDocker;
  const pools: DockerPool[] = [];
  beforeEach(async () => {
    docker = await StubDocker.start();
  });
  afterEach(async () => {
    for (const pool of pools.splice(0)) await pool.close();
    await docker.stop();
  });
  const create = (given: Partial<DockerPoolOptions> = {}): DockerPool => {
    const pool = createDockerPool({
      dockerHost: `unix://${docker.engine.socketPath}`,
      evict: "standard",
      minAgeMs: 0,
      clock: systemClock,
      platform: "linux",
      home: docker.engine.dir,
      env: {},
      hostname: () => "here",
      files: docker.files,
      ...given,
    });
    pools.push(pool);
    return pool;
  };
  const evict = (pool: DockerPool, blocks: number, signal = never): Promise<EvictionResult> =>
    pool.evict({ wantBytes: blocks * BLOCK, signal });
  const keys = ({ deleted }: EvictionResult): string[] => deleted.map(({ key }) => key);
  const ids = (): string[] => docker.images.map(({ id }) => id);

  describe("reading", () => {
    it("calculates as df does, of one moment for stats and probe", async () => {
      docker.otherBytes = 600 * BLOCK;
      const { stats, probe } = await create().tier();
      expect(stats).toEqual({
        capacityBytes: 1000 * BLOCK,
        usedBytes: 600 * BLOCK,
        pressure: 0.6,
        detected: true,
      });
      expect(probe).toEqual({
        kind: "detected",
        allocatedBytes: 1000 * BLOCK,
        usedBytes: 600 * BLOCK,
        path: docker.rootDir,
      });
    });

    it("shares one measurement among all who ask at once, and asks the engine seldom", async () => {
      let measured = 0;
      const statfs = (path: string) => {
        measured++;
        return docker.files.statfs(path);
      };
      const pool = create({ files: { ...docker.files, statfs } });
      await Promise.all(Array.from({ length: 9 }, () => pool.read(never)));
      await pool.read(never);
      expect(measured).toBe(2);
      expect(docker.engine.requests.filter(({ path }) => path === "/info")).toHaveLength(1);
    });

    it("still sees the disk when the engine is down, but never another disk in its place", async () => {
      docker.otherBytes = 990 * BLOCK;
      const clock = new ManualClock();
      const pool = create({ clock });
      await pool.read(never);
      await docker.engine.kill();
      await clock.advance(11_000);
      expect(await pool.read(never)).toMatchObject({ detected: true, stale: false, pressure: 0.99 });
      await rename(docker.rootDir, `${docker.rootDir}-moved`);
      await mkdir(docker.rootDir);
      const { stats, probe } = await pool.tier();
      expect(stats).toEqual({ capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false });
      expect(probe).toMatchObject({
        kind: "notFound",
        reason: expect.stringContaining("another directory") as string,
      });
      await docker.removeRoot();
      expect((await pool.tier()).probe).toMatchObject({
        reason: expect.stringContaining("gone (ENOENT)") as string,
      });
      await rename(`${docker.rootDir}-moved`, docker.rootDir);
      expect((await pool.read(never)).detected).toBe(true);
    });

    it("lets a hung engine cost its deadline once, not at each reading", async () => {
      const clock = new ManualClock();
      const asked = new Promise<void>((resolve) => {
        docker.intercept = ({ path }) => (path === "/info" ? { raw: () => resolve() } : null);
      });
      const pool = create({ clock });
      const reading = pool.tier();
      await asked;
      await clock.advance(2_000);
      expect((await reading).probe).toMatchObject({
        kind: "notFound",
        reason: expect.stringContaining("2000 ms") as string,
      });
      expect((await pool.tier()).probe.kind).toBe("notFound");
      docker.intercept = () => null;
      await clock.advance(31_000);
      expect((await pool.tier()).probe.kind).toBe("detected");
    });

    it("gives the last figures as stale while the file system hangs", async () => {
      const clock = new ManualClock();
      let hangs = false;
      let began = (): void => undefined;
      const statfs = (path: string) => {
        if (!hangs) return docker.files.statfs(path);
        began();
        return new Promise<never>(() => undefined);
      };
      const pool = create({ clock, files: { ...docker.files, statfs } });
      const { usedBytes } = await pool.read(never);
      const hanging = new Promise<void>((resolve) => {
        began = resolve;
      });
      hangs = true;
      const reading = pool.read(never);
      await hanging;
      await clock.advance(2_000);
      expect(await reading).toMatchObject({ usedBytes, detected: true, stale: true });
      expect(await pool.read(never)).toMatchObject({ stale: true });
      await expect(evict(pool, 1)).rejects.toMatchObject({ code: "timeout" });
    });

    it("says what was tried without Docker, and names a platform it can't measure", async () => {
      const home = await mkdtemp(join(tmpdir(), "no-docker-"));
      const files = {
        ...docker.files,
        realpath: () => Promise.reject(Object.assign(new Error(), { code: "ENOENT" })),
      };
      const none = create({ dockerHost: `${home}/none.sock`, home, files });
      expect(await none.tier()).toMatchObject({
        stats: { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false },
        probe: {
          kind: "notFound",
          path: `${home}/none.sock`,
          reason: expect.stringContaining("DOCKER_HOST") as string,
        },
      });
      const solaris = create({ platform: "sunos" });
      expect((await solaris.tier()).probe).toMatchObject({ kind: "unsupported", os: "sunos" });
      const windows = create({ platform: "win32", env: { LOCALAPPDATA: "C:\\L", APPDATA: "C:\\A" } });
      expect((await windows.tier()).probe).toMatchObject({
        kind: "notFound",
        path: "C:\\L\\Docker\\wsl\\disk\\docker_data.vhdx",
      });
      await expect(evict(none, 1)).rejects.toMatchObject({ code: "unreachable" });
      await rm(home, { recursive: true });
    });
  });

  describe("eviction", () => {
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
      ledger.append({
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
        outcome: "intended",
        detail: null,
        claimedBytes: 1,
        measuredBytes: null,
        restoreReference: null,
      });
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
        method === "DELETE" && path.endsWith(image(1).id)
          ? { status: 409, json: { message: "in use" } }
          : null;
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

  describe("Docker Desktop and engines elsewhere", () => {
    const raw = (): string => join(docker.engine.dir, ".docker/desktop/vms/0/data/Docker.raw");
    const createRaw = async (): Promise<void> => {
      await mkdir(dirname(raw()), { recursive: true });
      await writeFile(raw(), Buffer.alloc(64 * BLOCK, 1));
    };

    it("measures the disk image of Docker Desktop on Linux, and trusts the engine's figures for what it gave back", async () => {
      await createRaw();
      docker.operatingSystem = "Docker Desktop";
      docker.images.push(image(1), image(2), image(3));
      const pool = create();
      expect((await pool.tier()).probe).toMatchObject({ kind: "detected", path: raw() });
      expect(keys(await evict(pool, 150))).toEqual([image(1).id, image(2).id]);
    });

    it("takes a Desktop image that nobody named only when nobody named an engine", async () => {
      await createRaw();
      await docker.engine.kill();
      expect((await create().tier()).probe.kind).toBe("notFound");
      const runtimeDir = { XDG_RUNTIME_DIR: "/nonexistent" };
      const { probe } = await create({ dockerHost: null, env: runtimeDir }).tier();
      expect(probe.kind).toBe("detected");
    });

    it("measures an engine behind TCP when it is this machine's, and else goes by what it says of itself", async () => {
      const server = createServer((socket) => {
        const up = connect(docker.engine.socketPath);
        socket.pipe(up).pipe(socket);
        for (const each of [socket, up]) each.on("error", () => each.destroy());
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      const port = typeof address === "object" ? address?.port : null;
      const dockerHost = `tcp://127.0.0.1:${port ?? 0}`;
      expect((await create({ dockerHost }).tier()).probe).toMatchObject({ path: docker.rootDir });
      docker.images.push(image(1), image(2));
      const foreign = create({ dockerHost, hostname: () => "there" });
      expect((await foreign.tier()).probe).toMatchObject({
        kind: "notFound",
        reason: expect.stringContaining("another machine") as string,
      });
      await expect(evict(foreign, 1)).rejects.toMatchObject({ code: "notFound" });
      const { reading } = await foreign.usage({ limit: 10, maxAgeMs: null }, never);
      expect(reading).toMatchObject({ source: "engineApi", path: dockerHost, capacityBytes: 0, pressure: 0 });
      expect((await foreign.tier()).stats).toMatchObject({ usedBytes: 200 * BLOCK, detected: true });
      // Who says how much there is gets a pressure, and relief that goes by the engine's figures.
      const sized = create({ dockerHost, hostname: () => "there", capacityBytes: 400 * BLOCK });
      await sized.refreshUsage(never);
      expect((await sized.read(never)).pressure).toBe(0.5);
      expect(keys(await evict(sized, 50))).toEqual([image(1).id]);
      for (const pool of pools.splice(0)) await pool.close();
      await new Promise((resolve) => server.close(resolve));
    });
  });

  it("lists what fills the disk as entries, largest first, what is in use as pinned", async () => {
    docker.images.push(image(1, { sizeBytes: BLOCK }), image(2));
    docker.usedBy.push(image(2).id);
    const entries = await create().entries(never);
    expect(entries.map(({ key, pinnedCount }) => [key, pinnedCount])).toEqual([
      [image(2).id, 1],
      [image(1).id, 0],
      ["c0", 1],
    ]);
  });
});

describePoolContract("pool-docker", { describe, it, expect }, async () => {
  const docker = await StubDocker.start();
  docker.images.push(image(1), image(2));
  const pool = createDockerPool({
    dockerHost: docker.engine.socketPath,
    evict: "standard",
    minAgeMs: 0,
    clock: systemClock,
    platform: "linux",
    files: docker.files,
  });
  const dispose = async (): Promise<void> => {
    await pool.close();
    await docker.stop();
  };
  return { pool, dispose };
});
