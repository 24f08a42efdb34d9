import { PoolError } from "@continuum/broker-core";
import { describe, expect, it } from "vitest";
import type { HostFiles } from "../probe/host-files.js";
import { type LoggedContainer, readLogSizes } from "./log-sizes.js";

const DIR = "/var/lib/docker/containers/c";
const started = { ResolvConfPath: `${DIR}/resolv.conf`, State: { Status: "running" } };
const driver = (Type: string) => ({ HostConfig: { LogConfig: { Type } } });

/** Files with their blocks of 512 bytes; null for one that nobody may look at. */
function filesWith(blocks: Readonly<Record<string, number | null>>): Pick<HostFiles, "stat"> {
  return {
    stat: (path) => {
      const found = blocks[path];
      if (typeof found === "number")
        return Promise.resolve({
          dev: 1,
          ino: 1,
          size: 1,
          blocks: found,
          mtimeMs: 0,
          isDirectory: () => false,
        });
      const code = found === null ? "EACCES" : "ENOENT";
      return Promise.reject(Object.assign(new Error(code), { code }));
    },
  };
}

describe("readLogSizes", () => {
  const json = `${DIR}/c-json.log`;
  const local = `${DIR}/local-logs/container.log`;
  const cached = `${DIR}/container-cached.log`;
  const seen = { [`${DIR}/resolv.conf`]: 8 };

  it.each<[string, LoggedContainer, Record<string, number | null>, number | null]>([
    ["a log", { ...started, ...driver("json-file"), LogPath: json }, { [json]: 16 }, 16 * 512],
    [
      "its older parts, compressed or not, as far as they are there",
      { ...started, LogPath: json },
      { [json]: 8, [`${json}.1`]: 8, [`${json}.2.gz`]: 1, [`${json}.4`]: 100 },
      17 * 512,
    ],
    [
      "an older part that nobody may look at",
      { ...started, LogPath: json },
      { [json]: 8, [`${json}.1`]: null },
      null,
    ],
    ["a log that nobody may look at", { ...started, LogPath: json }, { [json]: null }, null],
    // As of an engine in a virtual machine: the path is one of another machine.
    ["a log that isn't there though it was told", { ...started, LogPath: json }, {}, null],
    ["a container that was never started", { State: { Status: "created" }, LogPath: json }, {}, 0],
    ["no log", { ...started, ...driver("none"), LogPath: "" }, {}, 0],
    [
      "the driver `local`, which doesn't tell",
      { ...started, ...driver("local"), LogPath: "" },
      { [local]: 4 },
      4 * 512,
    ],
    ["the driver `local` where it can't be seen", { ...started, ...driver("local"), LogPath: "" }, {}, null],
    [
      "a driver that sends away and keeps a copy",
      { ...started, ...driver("syslog") },
      { [cached]: 2 },
      2 * 512,
    ],
    ["a driver that sends away and keeps none", { ...started, ...driver("journald") }, seen, 0],
    ["a driver that sends away where nothing can be seen", { ...started, ...driver("journald") }, {}, null],
    ["an engine that says nothing", {}, {}, null],
  ])("knows the size of %s", async (_what, container, blocks, expected) => {
    const sizes = await readLogSizes(["c"], {
      inspect: () => Promise.resolve(container),
      files: filesWith(blocks),
    });
    expect(sizes).toEqual(new Map([["c", expected]]));
  });

  it("asks for four at once, of 500 at most; the size of further logs isn't known", async () => {
    const ids = Array.from({ length: 600 }, (_, i) => `c${i}`);
    let atOnce = 0;
    let most = 0;
    let asked = 0;
    const inspect = async (): Promise<LoggedContainer> => {
      asked++;
      most = Math.max(most, ++atOnce);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce--;
      return { State: { Status: "created" } };
    };
    const sizes = await readLogSizes(ids, { inspect, files: filesWith({}) });
    expect([most, asked, sizes.size]).toEqual([4, 500, 600]);
    expect([sizes.get("c499"), sizes.get("c500")]).toEqual([0, null]);
  });

  it("takes a container that is gone for one without a log, and stops at any other failure", async () => {
    const gone = new PoolError("notFound", "no such container");
    const inspect = (): Promise<never> => Promise.reject(gone);
    expect(await readLogSizes(["a", "b"], { inspect, files: filesWith({}) })).toEqual(
      new Map([
        ["a", 0],
        ["b", 0],
      ]),
    );
    let asked = 0;
    let underWay = 0;
    const broken = async (id: string): Promise<LoggedContainer> => {
      asked++;
      underWay++;
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      if (id === "c0") throw new PoolError("unreachable", "away");
      return { State: { Status: "created" } };
    };
    const ids = Array.from({ length: 100 }, (_, i) => `c${i}`);
    await expect(readLogSizes(ids, { inspect: broken, files: filesWith({}) })).rejects.toMatchObject({
      code: "unreachable",
    });
    while (underWay > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toBe(4);
  });
});
