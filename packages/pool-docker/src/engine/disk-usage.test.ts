import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StubClient } from "../testing/stub-client.js";
import type { StubEngine } from "../testing/stub-engine.js";
import { parseBuildCache, parseDiskUsage } from "./disk-usage.js";
import type { EngineClient } from "./engine-client.js";

type Json = Record<string, unknown>;

/** `recorded-*` came from engines; `documented-*` are written after the API's documentation. */
function fixture(name: string): Json {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), "utf8")) as Json;
}

const parse = (value: unknown) => parseDiskUsage(value, "engine");
const old = () => fixture("recorded-1.41-system-df");
const documented = () => fixture("documented-1.52-system-df");

describe("parseDiskUsage", () => {
  it("reads what API 1.41 answers", () => {
    const usage = parse(old());
    expect(usage.layersBytes).toBe(4_366_824);
    expect(usage.images.map(({ tags, sizeBytes, sharedBytes }) => [tags, sizeBytes, sharedBytes])).toEqual([
      [["registry.example:5000/team/app:1", "a/built:2"], 2_379_568, 2_281_264],
      [["a/run:1"], 1_987_256, 0],
      [["a/built:1"], 2_281_264, 2_281_264],
      [["lab/busybox:1"], 1_982_256, 1_982_256],
    ]);
    // The engine leaves out `SizeRw` where nothing was written.
    expect(usage.containers.map(({ name, writableBytes, state }) => [name, writableBytes, state])).toEqual([
      ["noisy", 0, "running"],
      ["locallog", 0, "running"],
      ["never", 0, "created"],
      ["stopped", 65_536, "exited"],
      ["runs", 0, "running"],
    ]);
    expect(usage.volumes).toContainEqual({ name: "data", sizeBytes: 100_000, refCount: 1 });
    expect(usage.buildCache).toHaveLength(12);
  });

  it("reads what API 1.52 and later answer, where zeros and empty lists are left out", () => {
    const usage = parse(documented());
    expect(usage.layersBytes).toBe(95_000_000);
    expect(
      usage.images.map(({ sharedBytes, containers, createdAtMs }) => [sharedBytes, containers, createdAtMs]),
    ).toEqual([
      [70_000_000, 1, 1_790_000_000_000],
      [null, 0, null],
    ]);
    expect(usage.containers.map(({ writableBytes }) => writableBytes)).toEqual([4096, null]);
    expect(usage.volumes).toEqual([
      { name: "data", sizeBytes: 12_000, refCount: 1 },
      { name: "remote", sizeBytes: null, refCount: null },
    ]);
    const none = { ImageUsage: {}, ContainerUsage: {}, VolumeUsage: {}, BuildCacheUsage: {} };
    expect(parse(none)).toEqual({
      layersBytes: null,
      images: [],
      containers: [],
      volumes: [],
      buildCache: [],
    });
  });

  it("reads the parents of build cache under every name that engines have for them", () => {
    const parentsOf = (value: unknown) =>
      parseBuildCache(value, "engine")?.map(({ Parents, Parent }) => Parents ?? Parent);
    // The engine's own spelling, with a space before it.
    expect(parentsOf(documented())).toEqual([undefined, ["base0000000000000000000001"]]);
    const [, record] = (documented()["BuildCacheUsage"] as { Items: Json[] }).Items;
    const { " Parents": parents, ...rest } = record ?? {};
    expect(parentsOf({ BuildCache: [{ ...rest, Parents: parents }] })).toEqual([
      ["base0000000000000000000001"],
    ]);
    expect(parentsOf(old())?.filter((parent) => parent !== "")).toHaveLength(9);
  });

  it("takes an empty list for nothing, written as [] or as null, and a missing one for an error", () => {
    const empty = fixture("recorded-1.41-system-df-empty");
    expect(parse(empty)).toEqual({ layersBytes: 0, images: [], containers: [], volumes: [], buildCache: [] });
    for (const section of ["Images", "Containers", "Volumes"]) {
      expect(parse({ ...empty, [section]: null })).toEqual(parse(empty));
      expect(() => parse({ ...empty, [section]: undefined })).toThrow(
        expect.objectContaining({ code: "protocol" }),
      );
    }
    // An engine may have no builder.
    expect(parse({ ...empty, BuildCache: undefined }).buildCache).toBeNull();
    const recent = documented();
    for (const section of ["ImageUsage", "ContainerUsage", "VolumeUsage"])
      expect(() => parse({ ...recent, [section]: undefined })).toThrow(
        expect.objectContaining({ code: "protocol" }),
      );
    expect(parse({ ...recent, BuildCacheUsage: undefined }).buildCache).toBeNull();
  });

  it("takes a count without its items for an error, not for nothing", () => {
    const recent = documented();
    const withoutItems = { ...(recent["ImageUsage"] as Json), Items: undefined };
    expect(() => parse({ ...recent, ImageUsage: withoutItems })).toThrow(
      expect.objectContaining({ code: "protocol" }),
    );
  });

  it("takes -1 for unknown, never for 0: of an image, a volume and a writable layer beside a known whole", () => {
    const empty = fixture("recorded-1.41-system-df-empty");
    const usage = parse({
      ...empty,
      LayersSize: -1,
      Images: [{ Id: "i", Size: 5, SharedSize: -1, Containers: -1, Created: -1 }],
      Containers: [{ Id: "c", Image: "i", SizeRw: -1, SizeRootFs: 5 }],
      Volumes: [{ Name: "v", UsageData: { Size: -1, RefCount: -1 } }],
    });
    expect(usage.layersBytes).toBeNull();
    expect(usage.images[0]).toMatchObject({ sharedBytes: null, containers: null, createdAtMs: null });
    expect(usage.containers[0]?.writableBytes).toBeNull();
    expect(usage.volumes[0]).toMatchObject({ sizeBytes: null, refCount: null });
  });

  it("refuses figures that can't be: negative, broken, larger than what is counted exactly, texts", () => {
    const absurd = fc.oneof(
      fc.integer({ max: -2 }),
      fc.double({ noNaN: true, noInteger: true }),
      fc.constantFrom(2 ** 53, 1e300, "5", true, {}, []),
    );
    const empty = fixture("recorded-1.41-system-df-empty");
    const places: ((figure: unknown) => Json)[] = [
      (LayersSize) => ({ LayersSize }),
      (Size) => ({ Images: [{ Id: "i", Size }] }),
      (SharedSize) => ({ Images: [{ Id: "i", Size: 1, SharedSize }] }),
      (SizeRw) => ({ Containers: [{ Id: "c", Image: "i", SizeRw, SizeRootFs: 1 }] }),
      (Size) => ({ Volumes: [{ Name: "v", UsageData: { Size, RefCount: 0 } }] }),
      (Size) => ({ BuildCache: [{ ID: "a", InUse: false, Shared: false, Size }] }),
    ];
    fc.assert(
      fc.property(fc.constantFrom(...places), absurd, (place, figure) => {
        expect(() => parse({ ...empty, ...place(figure) })).toThrow(
          expect.objectContaining({ code: "protocol" }),
        );
      }),
    );
  });

  it("makes Podman's figures usable: ids as in its lists, no names that are none, no 0 for what it doesn't add up", () => {
    const usage = parse(fixture("recorded-podman-4.3-system-df"));
    const id = "sha256:b96228a9f1127d693d8a9ea85f433cfd857107d20ece986015d2abd0b3aff14d";
    expect(usage.layersBytes).toBeNull();
    expect(usage.images[0]).toMatchObject({ id, tags: [], sizeBytes: 11_331 });
    expect(usage.containers[0]).toMatchObject({ name: "c1", imageId: id, writableBytes: 0 });
  });
});

describe("what is asked of /system/df", () => {
  let pair: StubClient;
  let stub: StubEngine;
  let client: EngineClient;
  beforeEach(async () => {
    pair = await StubClient.start();
    ({ stub, client } = pair);
  });
  afterEach(() => pair[Symbol.asyncDispose]());

  it.each([
    ["1.41", "", ""],
    ["1.42", "", "type=build-cache"],
    ["1.51", "", "type=build-cache"],
    ["1.52", "verbose=1", "type=build-cache&verbose=1"],
    ["1.55", "verbose=1", "type=build-cache&verbose=1"],
  ])("fits API %s", async (version, all, cache) => {
    stub.apiVersion = version;
    stub.answer = () => ({ json: version >= "1.52" ? documented() : old() });
    expect((await client.diskUsage()).images).not.toEqual([]);
    expect(await client.buildCache()).not.toEqual([]);
    expect(stub.requests.slice(1).map(({ path, rawQuery, version }) => [path, version, rawQuery])).toEqual([
      ["/system/df", version, all],
      ["/system/df", version, cache],
    ]);
  });
});
