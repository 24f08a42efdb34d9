import { systemClock } from "@continuum/broker-core";
import { describePoolContract, ManualClock } from "@continuum/broker-core/testing";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { createDockerPool } from "./docker-pool.js";
import { StubDocker } from "./testing/stub-docker.js";
import { BLOCK, evict, image, keys, never, StubPools } from "./testing/stub-pools.js";

describe("the Docker pool", () => {
  const pools = new StubPools();
  const { create } = pools;
  let docker: StubDocker;
  beforeEach(() => {
    docker = pools.docker;
  });

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
      await pools.close();
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
