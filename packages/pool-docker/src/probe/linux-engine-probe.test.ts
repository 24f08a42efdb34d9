import { ManualClock } from "@continuum/broker-core/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EngineInfo } from "../engine/engine-replies.js";
import { bindingOf, type DetectedMeasurement, toDiskReading } from "./docker-measurement.js";
import type { EngineLocator, LocatedEngine } from "./engine-locator.js";
import { digestsAreFromRegistries, imageRoots } from "./engine-root.js";
import type { HostFiles } from "./host-files.js";
import { LinuxEngineProbe } from "./linux-engine-probe.js";

const base: EngineInfo = {
  ID: "E",
  Name: "here",
  DockerRootDir: "/var/lib/docker",
  Driver: "overlay2",
  DriverStatus: [],
  OperatingSystem: "Debian",
  SecurityOptions: [],
  Containerd: null,
  Images: 1,
};
const containerd = { DriverStatus: [["driver-type", "io.containerd.snapshotter.v1"]] };

/** Directories, each with the filesystem that it is on. */
interface Disk {
  readonly dev: number;
  readonly used: number;
  readonly inodesUsed?: number;
}
function probeOf(
  info: Partial<EngineInfo>,
  disks: Readonly<Record<string, Disk>>,
  given: {
    readonly tcp?: boolean;
    readonly usage?: { readonly usedBytes: number; readonly atMs: number; readonly stale: boolean } | null;
    readonly capacityBytes?: number | null;
    /** Whether the engine answers. */
    readonly answers?: () => boolean;
  } = {},
): LinuxEngineProbe {
  const engine = {
    endpoint: given.tcp === true ? { kind: "tcp", host: "far", port: 2375 } : { kind: "unix", path: "/s" },
    client: {},
    info: { ...base, ...info },
  } as unknown as LocatedEngine;
  const missing = (path: string): Error => Object.assign(new Error(path), { code: "ENOENT" });
  const files = {
    stat: (path: string) => {
      const disk = disks[path];
      if (disk === undefined) return Promise.reject(missing(path));
      return Promise.resolve({
        dev: disk.dev,
        ino: 1,
        size: 0,
        blocks: 0,
        mtimeMs: 0,
        isDirectory: () => true,
      });
    },
    statfs: (path: string) => {
      const used = disks[path]?.used ?? 0;
      const ffree = 100 - (disks[path]?.inodesUsed ?? 0);
      const inodes = disks[path]?.inodesUsed === undefined ? 0 : 100;
      return Promise.resolve({
        bsize: 1,
        blocks: 100,
        bfree: 100 - used,
        bavail: 100 - used,
        files: inodes,
        ffree: inodes === 0 ? 0 : ffree,
      });
    },
  } as unknown as HostFiles;
  return new LinuxEngineProbe({
    locator: {
      locate: () =>
        Promise.resolve(given.answers?.() === false ? { engine: null, tried: ["it hangs"] } : { engine }),
      forget: () => undefined,
    } as unknown as EngineLocator,
    files,
    clock: new ManualClock(1_000),
    hostname: () => "here",
    apiUsage: () => given.usage ?? null,
    capacityBytes: given.capacityBytes ?? null,
  });
}
const measure = async (...args: Parameters<typeof probeOf>) => (await probeOf(...args).measure()).measurement;

describe("the probe of an engine on Linux", () => {
  it.each([
    ["rootful", {}, { "/var/lib/docker": { dev: 1, used: 50 } }, "/var/lib/docker"],
    [
      "a custom root",
      { DockerRootDir: "/big/docker" },
      { "/big/docker": { dev: 2, used: 50 }, "/var/lib/docker": { dev: 1, used: 9 } },
      "/big/docker",
    ],
    [
      "rootless",
      { DockerRootDir: "/home/me/.local/share/docker", SecurityOptions: ["name=rootless"] },
      { "/home/me/.local/share/docker": { dev: 3, used: 50 } },
      "/home/me/.local/share/docker",
    ],
    [
      "containerd's store of the system, on another disk that is fuller",
      containerd,
      { "/var/lib/docker": { dev: 1, used: 20 }, "/var/lib/containerd": { dev: 2, used: 50 } },
      "/var/lib/containerd",
    ],
    [
      "containerd's store on another disk that is emptier",
      containerd,
      { "/var/lib/docker": { dev: 1, used: 50 }, "/var/lib/containerd": { dev: 2, used: 20 } },
      "/var/lib/docker",
    ],
    [
      "a rootless engine's own containerd, whatever the system's holds",
      { ...containerd, DockerRootDir: "/h/docker", SecurityOptions: ["name=seccomp", "name=rootless"] },
      {
        "/h/docker/containerd/daemon": { dev: 3, used: 50 },
        "/h/docker": { dev: 3, used: 50 },
        "/var/lib/containerd": { dev: 1, used: 99 },
      },
      "/h/docker/containerd/daemon",
    ],
  ])("%s", async (_what, info, disks, path) => {
    expect(await measure(info, disks)).toMatchObject({
      kind: "detected",
      source: "engineRoot",
      path,
      usedBytes: 50,
      capacityBytes: 100,
      stale: false,
    });
  });

  it("goes by inodes where they are nearer to their end, and says so", async () => {
    const found = await measure({}, { "/var/lib/docker": { dev: 1, used: 30, inodesUsed: 97 } });
    expect(found).toMatchObject({ inodes: { usedInodes: 97, capacityInodes: 100 } });
    if (found?.kind !== "detected") throw new Error("not detected");
    expect(bindingOf(found)).toEqual({ binds: "inodes", pressure: 0.97 });
    expect(toDiskReading(found)).toMatchObject({ pressure: 0.3, inodePressure: 0.97, binds: "inodes" });
    // btrfs makes inodes as they are needed, and says that there are none.
    expect(await measure({}, { "/var/lib/docker": { dev: 1, used: 30 } })).toMatchObject({ inodes: null });
  });

  it("takes the disk with the fewest inodes left over one with fewer bytes", async () => {
    const disks = {
      "/var/lib/docker": { dev: 1, used: 60 },
      "/var/lib/containerd": { dev: 2, used: 10, inodesUsed: 90 },
    };
    expect(await measure(containerd, disks)).toMatchObject({ path: "/var/lib/containerd" });
  });

  it("goes by what a remote engine says, and says that it does", async () => {
    const info = { Name: "far" };
    const usage = { usedBytes: 40, atMs: 900, stale: false };
    expect(await measure(info, {}, { tcp: true })).toMatchObject({ kind: "notFound" });
    expect(await measure(info, {}, { tcp: true, usage })).toMatchObject({
      kind: "detected",
      source: "engineApi",
      path: "tcp://far:2375",
      usedBytes: 40,
      capacityBytes: 0,
      atMs: 900,
    });
    const told = await measure(info, {}, { tcp: true, usage: { ...usage, stale: true }, capacityBytes: 80 });
    expect(told).toMatchObject({ capacityBytes: 80, stale: true, inodes: null });
  });

  it("gives the last figures of a remote engine that doesn't answer any more, as stale ones", async () => {
    let answers = false;
    const usage = { usedBytes: 40, atMs: 900, stale: false };
    const probe = probeOf(
      { Name: "far" },
      {},
      { tcp: true, usage, capacityBytes: 80, answers: () => answers },
    );
    // One that never answered isn't known to be a remote one.
    expect(await probe.measure()).toEqual({ measurement: null, tried: ["it hangs"] });
    answers = true;
    expect((await probe.measure()).measurement).toMatchObject({ kind: "detected", stale: false });
    answers = false;
    expect((await probe.measure()).measurement).toMatchObject({
      kind: "detected",
      path: "tcp://far:2375",
      usedBytes: 40,
      capacityBytes: 80,
      atMs: 900,
      stale: true,
    });
  });

  it("says what it looked for where the root can't be seen", async () => {
    const found = await measure({}, {});
    expect(found).toMatchObject({ kind: "notFound", path: "/var/lib/docker" });
  });
});

describe("digestsAreFromRegistries", () => {
  it("holds for Docker's own store alone", () => {
    expect(digestsAreFromRegistries(base)).toBe(true);
    expect(digestsAreFromRegistries({ ...base, ...containerd })).toBe(false);
    // As Podman's compatible API says it.
    expect(digestsAreFromRegistries({ ...base, BuildahVersion: "1.28.2" })).toBe(false);
  });
});

describe("imageRoots", () => {
  it("names all that a measurement may be of", () => {
    expect(imageRoots(base)).toEqual(["/var/lib/docker"]);
    expect(imageRoots({ ...base, ...containerd })).toEqual([
      "/var/lib/containerd",
      "/var/lib/docker/containerd/daemon",
      "/var/lib/docker",
    ]);
    const own = { Address: "/run/user/1/docker/containerd/containerd.sock" };
    expect(imageRoots({ ...base, ...containerd, Containerd: own })).not.toContain("/var/lib/containerd");
  });
});

describe("bindingOf", () => {
  it("is the higher of the two pressures, whatever the figures", () => {
    const figures = fc.record({ used: fc.nat(), capacity: fc.nat(), iused: fc.nat(), icapacity: fc.nat() });
    fc.assert(
      fc.property(figures, ({ used, capacity, iused, icapacity }) => {
        const measurement = {
          kind: "detected",
          source: "engineRoot",
          atMs: 0,
          path: "/",
          allocatedBytes: capacity,
          usedBytes: used,
          capacityBytes: capacity,
          inodes: { usedInodes: iused, capacityInodes: icapacity },
          shrinks: true,
          stale: false,
        } satisfies DetectedMeasurement;
        const bytes = capacity === 0 ? 0 : used / capacity;
        const inodes = icapacity === 0 ? 0 : iused / icapacity;
        const { binds, pressure } = bindingOf(measurement);
        expect(pressure).toBe(Math.max(bytes, inodes));
        expect(binds).toBe(inodes > bytes ? "inodes" : "bytes");
      }),
    );
  });
});
