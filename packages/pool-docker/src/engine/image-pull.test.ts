import { ManualClock } from "@continuum/broker-core/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StubClient } from "../testing/stub-client.js";
import type { StubEngine } from "../testing/stub-engine.js";
import { EngineClient } from "./engine-client.js";

const reference = `registry.example:5000/team/app@sha256:${"b".repeat(64)}`;

/** Tells when a further deadline began. */
class CountingClock extends ManualClock {
  started = 0;

  override setTimeout(run: () => void, delayMs: number): () => void {
    this.started++;
    return super.setTimeout(run, delayMs);
  }
}

describe("EngineClient.imagePull", () => {
  let pair: StubClient;
  let stub: StubEngine;
  let client: EngineClient;
  beforeEach(async () => {
    pair = await StubClient.start();
    ({ stub, client } = pair);
  });
  afterEach(() => pair[Symbol.asyncDispose]());
  const answerWith = (...lines: readonly unknown[]): void => {
    const text = lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\r\n");
    stub.answer = () => ({ raw: (response) => response.end(text) });
  };

  it("is done when the stream ends without an error in it", async () => {
    answerWith(
      { status: "Pulling from team/app" },
      { status: "Downloading", progressDetail: { current: 1, total: 2 }, id: "a" },
      { status: "Status: Downloaded" },
    );
    await client.imagePull({ reference });
    expect(stub.calls.map((call) => decodeURIComponent(call))).toEqual([
      `POST /images/create?fromImage=${reference}`,
    ]);
  });

  it.each([
    ["manifest unknown", "notFound"],
    ["pull access denied", "denied"],
    ["unauthorized: authentication required", "denied"],
    ["failed to register layer: write /x: no space left on device", "noSpace"],
    ["toomanyrequests: slow down", "failed"],
  ])("takes no 200 for a success: %s is %s", async (message, code) => {
    for (const failure of [
      { error: message },
      { errorDetail: { message } },
      { error: message, errorDetail: { code: 5, message } },
    ]) {
      answerWith({ status: "Pulling" }, failure, { status: "more" });
      await expect(client.imagePull({ reference })).rejects.toMatchObject({
        code,
        message: expect.stringContaining(message) as string,
      });
    }
  });

  it.each<[unknown, string]>([
    [{ errorDetail: { code: 5 } }, "failed"],
    [{ error: "" }, "failed"],
    [{ error: { text: "odd" } }, "protocol"],
    ["nonsense", "protocol"],
    ["5", "protocol"],
    ["x".repeat(2 ** 20 + 1), "protocol"],
  ])("takes an odd line for a failure: %.40j", async (line, code) => {
    answerWith({ status: "Pulling" }, line);
    await expect(client.imagePull({ reference })).rejects.toMatchObject({ code });
  });

  it("fails when the stream breaks off, however well it went until then", async () => {
    stub.answer = () => ({
      raw: (response) => response.write('{"status":"Pulling"}\n', () => response.destroy()),
    });
    await expect(client.imagePull({ reference })).rejects.toMatchObject({ code: "protocol" });
  });

  it("gives up on a registry that sends nothing for a minute, however long it lasts otherwise", async () => {
    const clock = new CountingClock();
    const patient = new EngineClient({ kind: "unix", path: stub.socketPath }, clock);
    let write: (text: string) => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      stub.answer = () => ({
        raw: (response) => {
          response.flushHeaders();
          write = (text) => response.write(text);
          resolve();
        },
      });
    });
    let error: unknown = null;
    const pulling = patient.imagePull({ reference }).catch((caught: unknown) => (error = caught));
    await asked;
    for (let minute = 0; minute < 3; minute++) {
      const before = clock.started;
      write('{"status":"Downloading"}\n');
      // A new deadline begins when the line has been read.
      while (clock.started === before) await new Promise((resolve) => setImmediate(resolve));
      await clock.advance(59_000);
    }
    expect(error).toBeNull();
    await clock.advance(1_000);
    await pulling;
    expect(error).toMatchObject({ code: "timeout" });
    expect(clock.pendingTimers).toBe(0);
    await patient.close();
  });

  it("waits no longer for the words of a refusal than for its beginning", async () => {
    const clock = new CountingClock();
    const patient = new EngineClient({ kind: "unix", path: stub.socketPath }, clock);
    stub.answer = () => ({
      raw: (response) => {
        response.writeHead(500);
        response.write("never");
      },
    });
    await patient.negotiate();
    const before = clock.started;
    const failure = expect(patient.imagePull({ reference })).rejects.toMatchObject({ code: "timeout" });
    // One deadline for the reply's beginning, one for its words.
    while (clock.started < before + 2) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(60_000);
    await failure;
    expect(clock.pendingTimers).toBe(0);
    await patient.close();
  });

  it("ends by its signal", async () => {
    const abort = new AbortController();
    stub.answer = () => ({
      raw: (response) => response.write('{"status":"Pulling"}\n', () => abort.abort()),
    });
    await expect(client.imagePull({ reference, signal: abort.signal })).rejects.toMatchObject({
      code: "aborted",
    });
  });

  it("lets nothing through that is no reference", async () => {
    for (const odd of ["", "../x", "a?b", "a b", "-x"])
      await expect(client.imagePull({ reference: odd })).rejects.toMatchObject({ code: "protocol" });
    expect(stub.requests).toEqual([]);
  });
});
