import { readFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StubClient } from "../testing/stub-client.js";
import type { StubEngine } from "../testing/stub-engine.js";
import type { EngineClient } from "./engine-client.js";
import { type EngineEvent, toEngineEvent } from "./engine-events.js";

/** Recorded from Docker Engine 20.10 by API 1.41: builds, runs, an exec, a push, a pull, volumes and networks. */
const recorded = readFileSync(new URL("./fixtures/recorded-1.41-events.jsonl", import.meta.url), "utf8");
const lines = recorded.split("\n").filter((line) => line !== "");
const expected = lines.map((line) => toEngineEvent(line, "engine")).filter((event) => event !== null);

describe("toEngineEvent", () => {
  it("reads what an engine recorded, and passes by what isn't of containers or images", () => {
    expect(expected).toHaveLength(
      lines.length - lines.filter((line) => /"Type":"(volume|network|builder)"/u.test(line)).length,
    );
    expect(expected.find(({ action }) => action === "pull")).toMatchObject({
      type: "image",
      // What the user wrote, not the image's id.
      id: "registry.example:5000/team/app@sha256:bbf358d0c8935d086b0cada72678e15412967ca2557f00fae6056a8ddd4c6973",
    });
    // `exec_start: /bin/busybox true`
    expect(expected.find(({ action }) => action === "exec_start")).toMatchObject({
      type: "container",
      attributes: { image: "a/run:1", name: "runs" },
      timeNano: "1795469213692377555",
      atMs: 1_795_469_213_692,
    });
  });

  it("reads events without the fields that API 1.52 dropped, and those that have nothing else", () => {
    const dropped = lines.map((line) => {
      const entries = Object.entries(JSON.parse(line) as Record<string, unknown>);
      const rest = Object.fromEntries(entries.filter(([key]) => !["status", "id", "from"].includes(key)));
      // A JSON number of nanoseconds doesn't survive JavaScript: as the engine wrote it.
      const nano = /"timeNano":(\d+)/u.exec(line)?.[1] ?? "";
      return JSON.stringify(rest).replace(/"timeNano":\d+/u, `"timeNano":${nano}`);
    });
    expect(dropped.map((line) => toEngineEvent(line, "engine")).filter((event) => event !== null)).toEqual(
      expected,
    );
    const ancient = { status: "exec_start: sh -c 'a: b'", id: "c1", from: "web:1", time: 1_700_000_000 };
    expect(toEngineEvent(JSON.stringify(ancient), "engine")).toEqual({
      type: "container",
      action: "exec_start",
      id: "c1",
      attributes: { image: "web:1" },
      atMs: 1_700_000_000_000,
      timeNano: "1700000000000000000",
    });
  });

  it("takes what a label says for no time", () => {
    const event = {
      Type: "image",
      Action: "tag",
      Actor: { ID: "i", Attributes: { timeNano: "5", x: '"timeNano":7' } },
    };
    const line = JSON.stringify({ ...event, timeNano: 1_700_000_000_000_000_000 });
    expect(toEngineEvent(line, "engine")?.timeNano).toBe("1700000000000000000");
  });

  it.each([
    "",
    "nonsense",
    "5",
    "null",
    "[]",
    '{"time":"x"}',
    '{"Type":"image","Action":"tag","time":1e300}',
    '{"Type":"image","Action":"tag","timeNano":-1}',
  ])("takes %j for no event", (line) => {
    expect(() => toEngineEvent(line, "engine")).toThrow(expect.objectContaining({ code: "protocol" }));
  });
});

describe("EngineClient.events", () => {
  let pair: StubClient;
  let stub: StubEngine;
  let client: EngineClient;
  beforeEach(async () => {
    pair = await StubClient.start();
    ({ stub, client } = pair);
  });
  afterEach(() => pair[Symbol.asyncDispose]());
  const never = new AbortController().signal;
  const read = async (events: AsyncIterable<EngineEvent>, count = Infinity): Promise<EngineEvent[]> => {
    const seen: EngineEvent[] = [];
    for await (const event of events) if (seen.push(event) >= count) break;
    return seen;
  };
  /** Answers with these pieces, each in a packet of its own, and then does as told. */
  const answerWith = (pieces: readonly Buffer[], end: (response: ServerResponse) => void): void => {
    stub.answer = () => ({
      raw: (response) => {
        response.flushHeaders();
        response.socket?.setNoDelay(true);
        const next = (at: number): void => {
          const piece = pieces[at];
          if (piece === undefined) end(response);
          else response.write(piece, () => setImmediate(next, at + 1));
        };
        next(0);
      },
    });
  };

  it("asks for containers and images alone, from a moment on", async () => {
    answerWith([], (response) => response.end());
    await client.events({ signal: never });
    await client.events({ signal: never, sinceMs: 1_700_000_000_123.9 });
    const filters = { filters: JSON.stringify({ type: ["container", "image"] }) };
    expect(stub.calls.map((call) => Object.fromEntries(new URLSearchParams(call.split("?")[1])))).toEqual([
      filters,
      { ...filters, since: "1700000000.123" },
    ]);
  });

  it("resolves as soon as it is subscribed, before anything happened", async () => {
    let response: ServerResponse | null = null;
    answerWith([], (it) => (response = it));
    const events = await client.events({ signal: never });
    expect(response).not.toBeNull();
    (response as unknown as ServerResponse).write(recorded);
    expect(await read(events, 3)).toEqual(expected.slice(0, 3));
  });

  it("reads lines that arrive split anywhere, within a character too", async () => {
    const text = Buffer.from(recorded.replaceAll('"a/run:1"', '"ä/€𝄞:1"'));
    const wanted = text
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => toEngineEvent(line, "engine"))
      .filter((event) => event !== null);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(text.length), { maxLength: 30 }), async (cuts) => {
        // Always within a character of four bytes, and anywhere else.
        const within = text.indexOf("𝄞") + 2;
        const at = [0, ...[...cuts, within].sort((a, b) => a - b), text.length];
        answerWith(
          at.slice(1).map((end, i) => text.subarray(at[i], end)),
          () => undefined,
        );
        expect(await read(await client.events({ signal: never }), wanted.length)).toEqual(wanted);
      }),
      { numRuns: 25 },
    );
  });

  it.each<[string, string, (response: ServerResponse) => void]>([
    ["unreachable", "the engine ends it", (response) => response.end()],
    ["protocol", "the connection breaks", (response) => response.destroy()],
    ["protocol", "a line is no JSON", (response) => response.write("{\n")],
    ["protocol", "a line doesn't end", (response) => response.write("x".repeat(2 ** 20 + 1))],
  ])("ends with an error %s when %s, never silently", async (code, _when, end) => {
    answerWith([Buffer.from(recorded)], end);
    const events = await client.events({ signal: never });
    const seen: EngineEvent[] = [];
    const reading = (async () => {
      for await (const event of events) seen.push(event);
    })();
    await expect(reading).rejects.toMatchObject({ code });
    expect(seen).toEqual(expected);
  });

  it("ends by its signal, also when nobody reads it", async () => {
    answerWith([], () => undefined);
    const abort = new AbortController();
    const reading = expect(read(await client.events({ signal: abort.signal }))).rejects.toMatchObject({
      code: "aborted",
    });
    const unread = await client.events({ signal: abort.signal });
    abort.abort();
    await reading;
    await expect(read(unread)).rejects.toMatchObject({ code: "aborted" });
    await expect(client.events({ signal: abort.signal })).rejects.toMatchObject({ code: "aborted" });
  });

  it("lets go of the connection when its reader has enough", async () => {
    const closed = new Promise<void>((resolve) => {
      answerWith([Buffer.from(recorded)], (response) => response.on("close", resolve));
    });
    await read(await client.events({ signal: never }), 1);
    await closed;
  });

  it("gives the engine's refusal as an error", async () => {
    stub.answer = () => ({ status: 400, json: { message: "invalid filter" } });
    await expect(client.events({ signal: never })).rejects.toMatchObject({ code: "failed" });
  });
});
