import { readFileSync } from "node:fs";
import { PoolError, systemClock } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StubClient } from "../testing/stub-client.js";
import type { StubEngine } from "../testing/stub-engine.js";
import { EngineClient } from "./engine-client.js";

const info = {
  Name: "n",
  DockerRootDir: "/d",
  Driver: "overlay2",
  OperatingSystem: "x",
  Images: 1,
  Unheard: { of: 1 },
};

describe("EngineClient", () => {
  let pair: StubClient;
  let stub: StubEngine;
  let client: EngineClient;
  beforeEach(async () => {
    pair = await StubClient.start();
    ({ stub, client } = pair);
  });
  afterEach(() => pair[Symbol.asyncDispose]());
  const answer = (json: unknown, status = 200): void => {
    stub.answer = () => ({ json, status });
  };

  it("pins the engine's version, and at most the newest that is known", async () => {
    answer(info);
    await client.info();
    expect(stub.requests.map(({ path, version }) => [path, version])).toEqual([
      ["/_ping", null],
      ["/info", "1.41"],
    ]);
    stub.apiVersion = "1.99";
    await stub.kill();
    await expect(client.info()).rejects.toMatchObject({ code: "unreachable" });
    await stub.listen();
    await client.info();
    expect(stub.requests.at(-1)?.version).toBe("1.55");
  });

  it("asks again when another engine took the place of the first unnoticed", async () => {
    answer(info);
    stub.apiVersion = "1.50";
    await client.info();
    stub.apiVersion = "1.41";
    stub.answer = ({ version }) =>
      version === "1.41"
        ? { json: info }
        : {
            status: 400,
            json: { message: "client version 1.50 is too new. Maximum supported API version is 1.41" },
          };
    expect(await client.info()).toMatchObject({ Name: "n" });
  });

  it.each(["1.41", "1.47", "1.48", "1.55"])(
    "prunes exactly the records that it is told to, with nothing that changes by API %s",
    async (version) => {
      stub.apiVersion = version;
      answer({ CachesDeleted: ["a1"], SpaceReclaimed: 5 });
      expect(await client.buildPruneIds(["a1", "b2"])).toEqual({ CachesDeleted: ["a1"], SpaceReclaimed: 5 });
      const [, rawQuery = ""] = stub.calls[0]?.split("?") ?? [];
      expect(Object.fromEntries(new URLSearchParams(rawQuery))).toEqual({
        all: "1",
        filters: JSON.stringify({ id: ['"^(a1|b2)$"'] }),
      });
      await expect(client.buildPruneIds(["a|.*"])).rejects.toMatchObject({ code: "protocol" });
      await expect(client.buildPruneIds([])).rejects.toThrow(RangeError);
      expect(stub.calls).toHaveLength(1);
    },
  );

  it("asks for build cache alone where the engine can tell it", async () => {
    answer({ BuildCache: null });
    expect(await client.buildCache()).toEqual([]);
    expect(stub.calls).toEqual(["GET /system/df"]);
    await stub.kill();
    await client.buildCache().catch(() => null);
    await stub.listen();
    stub.apiVersion = "1.42";
    await client.buildCache();
    expect(stub.calls.at(-1)).toBe("GET /system/df?type=build-cache");
  });

  it("never deletes by force", async () => {
    answer([{ Untagged: "a:1" }, { Deleted: "sha256:1" }]);
    expect(await client.imageRemove("registry:5000/a/b:1")).toEqual(["sha256:1"]);
    expect(stub.calls).toEqual(["DELETE /images/registry:5000/a/b:1?force=0&noprune=0"]);
    await expect(client.imageRemove("../containers/x")).rejects.toMatchObject({ code: "protocol" });
    await expect(client.imageRemove("a?force=1")).rejects.toMatchObject({ code: "protocol" });
    expect(stub.calls).toHaveLength(1);
  });

  it("removes a container without force and without its volumes", async () => {
    stub.answer = () => ({ raw: (response) => response.writeHead(204).end() });
    await client.containerRemove("c".repeat(64));
    const [path, query] = stub.calls[0]?.split("?") ?? [];
    expect(path).toBe(`DELETE /containers/${"c".repeat(64)}`);
    expect(Object.fromEntries(new URLSearchParams(query))).toEqual({ v: "0", force: "0", link: "0" });
    await expect(client.containerRemove("../images/x")).rejects.toMatchObject({ code: "protocol" });
    expect(stub.calls).toHaveLength(1);
  });

  it("gives an image's history from the base up", async () => {
    const path = new URL("./fixtures/recorded-1.41-image-history.json", import.meta.url);
    answer(JSON.parse(readFileSync(path, "utf8")));
    const history = await client.imageHistory("a/built:2");
    expect(history.map(({ createdBy, sizeBytes }) => [createdBy.slice(0, 31), sizeBytes])).toEqual([
      ["", 1_982_256],
      ["RUN /bin/busybox dd if=/dev/ura", 98_304],
      ["RUN /bin/busybox dd if=/dev/ura", 200_704],
      ["RUN /bin/busybox dd if=/dev/ura", 98_304],
    ]);
    expect(history[0]?.createdAtMs).toBe(1_795_469_210_000);
    answer([{ CreatedBy: "x", Size: -1, Created: 0 }]);
    await expect(client.imageHistory("a")).rejects.toMatchObject({ code: "protocol" });
  });

  it("asks for containers' sizes only where they are wanted, and says what it was told", async () => {
    const listed = {
      Id: "c1",
      Names: ["/a"],
      Image: "i:1",
      ImageID: "i",
      State: "exited",
      Created: 5,
      Labels: null,
    };
    answer([{ ...listed, SizeRw: 7, SizeRootFs: 9 }]);
    expect(await client.containers()).toEqual([{ ...listed, Labels: {}, SizeRw: 7, SizeRootFs: 9 }]);
    await client.containers(undefined, { withSizes: true });
    expect(stub.calls).toEqual(["GET /containers/json?all=1", "GET /containers/json?all=1&size=1"]);
  });

  it("reads a container in detail; Go's zero time is none", async () => {
    const State = {
      Status: "created",
      StartedAt: "0001-01-01T00:00:00Z",
      FinishedAt: "0001-01-01T00:00:00Z",
    };
    answer({
      Id: "c1",
      Name: "/a",
      Image: "i",
      Created: "2026-01-02T03:04:05.678901234Z",
      LogPath: "",
      State,
    });
    expect(await client.containerInspect("c1")).toMatchObject({
      Created: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
      State: { Status: "created", StartedAt: null, FinishedAt: null },
    });
  });

  it("has no call that prunes by itself what may be needed: volumes, images, containers", async () => {
    stub.answer = () => ({ json: null });
    const digest = `a@sha256:${"0".repeat(64)}`;
    const calls: Record<Exclude<keyof EngineClient, "name" | "close">, () => Promise<unknown>> = {
      negotiate: () => client.negotiate(),
      info: () => client.info(),
      containers: () => client.containers(),
      containerInspect: () => client.containerInspect("a"),
      containerRemove: () => client.containerRemove("a"),
      images: () => client.images(),
      imageInspect: () => client.imageInspect("a"),
      imageRemove: () => client.imageRemove("a"),
      tag: () => client.tag("a", "b:1"),
      imageHistory: () => client.imageHistory("a"),
      imagePull: () => client.imagePull({ reference: digest }),
      events: () => client.events({ signal: new AbortController().signal }),
      diskUsage: () => client.diskUsage(),
      buildCache: () => client.buildCache(),
      buildPruneIds: () => client.buildPruneIds(["a"]),
    };
    for (const call of Object.values(calls)) {
      await call().catch((error: unknown) => {
        expect(error).toBeInstanceOf(PoolError);
      });
    }
    // All but the negotiation and `info`, which the stub doesn't count.
    expect(stub.calls).toHaveLength(Object.keys(calls).length - 2);
    const prunes = stub.calls.filter((call) => call.includes("/prune"));
    expect(prunes.map((call) => call.replace(/\?.*/u, ""))).toEqual(["POST /build/prune"]);
    expect(stub.calls.filter((call) => /force=(?!0)|[?&]v=(?!0)/u.test(call))).toEqual([]);
  });

  it.each([
    [404, "No such image", "notFound"],
    [409, "conflict: in use", "conflict"],
    [500, "write /x: no space left on device", "noSpace"],
    [500, "boom", "failed"],
    [403, "no", "denied"],
  ])("turns %i %s into a PoolError %s", async (status, message, code) => {
    answer({ message }, status);
    await expect(client.images()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });

  it("takes no absurd, missing or broken figure for a zero", async () => {
    for (const wrong of [{ ...info, Images: -1 }, { ...info, DockerRootDir: undefined }, [], null, "x"]) {
      answer(wrong);
      await expect(client.info()).rejects.toMatchObject({ code: "protocol" });
    }
    stub.answer = () => ({ raw: (response) => response.end('{"Name":') });
    await expect(client.info()).rejects.toMatchObject({ code: "protocol" });
    stub.answer = () => ({
      raw: (response) => {
        response.writeHead(200, { "Content-Length": 1000 });
        response.write('{"Name":', () => response.destroy());
      },
    });
    await expect(client.info()).rejects.toMatchObject({ code: "protocol" });
    stub.apiVersion = null;
    await expect(client.info()).rejects.toMatchObject({ code: "protocol" });
  });

  it("waits no longer than its deadline, and not when cancelled", async () => {
    const clock = new ManualClock();
    const hung = new EngineClient({ kind: "unix", path: stub.socketPath }, clock);
    const asked = new Promise<void>((resolve) => {
      stub.answer = () => ({ raw: () => resolve() });
    });
    const failure = expect(hung.info()).rejects.toMatchObject({ code: "timeout" });
    await asked;
    await clock.advance(2_000);
    await failure;
    const abort = new AbortController();
    const cancelled = expect(hung.containers(abort.signal)).rejects.toMatchObject({ code: "aborted" });
    abort.abort();
    await cancelled;
    expect(clock.pendingTimers).toBe(0);
    await hung.close();
  });

  it("says what to do when there is no socket", async () => {
    const none = new EngineClient({ kind: "unix", path: `${stub.dir}/none.sock` }, systemClock);
    await expect(none.info()).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringContaining("is Docker installed") as string,
    });
    await none.close();
  });
});
