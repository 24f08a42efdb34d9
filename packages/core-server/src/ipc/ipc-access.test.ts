import { ManualClock } from "@continuum/broker-core/testing";
import { COMMANDS, type CommandName } from "@continuum/wire-types";
import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { recordingLog } from "../testing/recording-log.js";
import { startTestCore } from "../testing/start-test-core.js";
import { DEFAULT_IPC_LIMITS } from "./ipc-limits.js";

const TOKEN = "correct-horse-battery-staple";
const TCP = { CONTINUUM_SOCKET: "tcp://127.0.0.1:0" };
const commandNames = Object.keys(COMMANDS) as CommandName[];

describe("the read-only socket", () => {
  it("stands beside the admin one, 0660 in a directory of 0750, and is removed with it", async () => {
    const test = await startTestCore({ env: { CONTINUUM_READ_SOCKET: "HOME/read/core.sock" } });
    const path = join(test.home, "read", "core.sock");
    try {
      expect((await lstat(path)).mode & 0o777).toBe(0o660);
      expect((await lstat(join(test.home, "read"))).mode & 0o777).toBe(0o750);
      expect((await lstat(test.socketPath)).mode & 0o777).toBe(0o600);
      await test.core.stop();
      await expect(lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
    } finally {
      await test[Symbol.asyncDispose]();
    }
  });

  it("lets everything be read and nothing be changed, whatever the admin one lets", async () => {
    await using test = await startTestCore({ env: { CONTINUUM_READ_SOCKET: "HOME/read/core.sock" } });
    const reader = await test.connect(join(test.home, "read", "core.sock"));
    const owner = await test.connect();
    for (const [index, name] of commandNames.entries()) {
      const isAdmin = COMMANDS[name].accessLevel === "admin-only";
      const { errorDetail } = await reader.call(name, index + 1);
      if (isAdmin) {
        expect(errorDetail).toEqual({ kind: "accessDenied", command: name, accessLevel: "admin-only" });
      } else expect(errorDetail?.kind).not.toBe("accessDenied");
      expect((await owner.call(name, index + 1)).errorDetail?.kind).not.toBe("accessDenied");
    }
    // A token is of no use here: the socket's rights decide.
    const session = { result: { access: "ai-safe" } };
    expect(await reader.call("session/authenticate", 900, { token: TOKEN })).toMatchObject(session);
    expect(await reader.call("system/docker-evict-apply", 901)).toMatchObject({ success: false });
  });

  it("isn't shared by two cores, and the second leaves the first's alone", async () => {
    await using first = await startTestCore({ env: { CONTINUUM_READ_SOCKET: "HOME/read.sock" } });
    const path = join(first.home, "read.sock");
    await expect(startTestCore({ env: { CONTINUUM_READ_SOCKET: path } })).rejects.toMatchObject({
      code: "alreadyRunning",
    });
    const reader = await first.connect(path);
    expect(await reader.call("health-check", 1)).toMatchObject({ success: true });
  });
});

describe("a connection over TCP", () => {
  it("may only ask for health until it has presented the token, and everything afterwards, in one write", async () => {
    await using test = await startTestCore({ env: { ...TCP, CONTINUUM_TOKEN: TOKEN } });
    expect(test.core.tokenPath).toBeNull();
    const { events, broker } = test.core;
    const publish = (): void => events.publish({ name: "broker-state", data: broker.snapshot() });
    const client = await test.connect();
    for (const [index, name] of ["no/such-command", ...commandNames].entries()) {
      if (name === "session/authenticate") continue;
      const reply = await client.call(name, index + 1, { events: ["pressure-state"] });
      if (name === "health-check") expect(reply).toMatchObject({ success: true });
      else {
        expect(reply.errorDetail).toMatchObject({ kind: "accessDenied", command: name });
        expect(reply.error).toMatch(/this connection owes a token: present .*CONTINUUM_TOKEN/u);
      }
    }
    publish();
    client.send(
      `{"command":"session/authenticate","requestId":100,"token":"${TOKEN}"}\n` +
        '{"command":"events/subscribe","requestId":101,"events":["pressure-state"]}\n',
    );
    // No event came before: the next frame is the answer.
    expect(await client.next()).toMatchObject({ requestId: 100, result: { access: "admin-only" } });
    expect(await client.next()).toMatchObject({ requestId: 101, success: true });
    publish();
    expect(await client.next()).toMatchObject({ event: "pressure-state" });
    const refused = await client.call("system/docker-evict-apply", 102, { planId: "x" });
    expect(refused.errorDetail?.kind).not.toBe("accessDenied");
  });

  it("finds the token where the core has put it", async () => {
    await using test = await startTestCore({ env: TCP });
    expect(test.core.tokenPath).toBe(join(test.home, "token"));
    const token = (await readFile(join(test.home, "token"), "utf8")).trim();
    const client = await test.connect();
    expect(await client.call("session/authenticate", 1, { token })).toMatchObject({ success: true });
  });

  it("is told of a request sent behind a wrong token that the token was wrong, of one behind the right one nothing", async () => {
    const clock = new ManualClock();
    await using test = await startTestCore({ env: { ...TCP, CONTINUUM_TOKEN: TOKEN }, clock });
    const client = await test.connect();
    client.request("session/authenticate", 1, { token: "not-the-token-at-all" });
    const early = await client.call("runtime/ipc", 2);
    expect(early).toMatchObject({
      requestId: 2,
      errorDetail: { kind: "accessDenied", command: "runtime/ipc" },
    });
    expect(early.error).toMatch(
      /^runtime\/ipc: the token that was presented is wrong: .*CONTINUUM_TOKEN_FILE/u,
    );
    await clock.advance(DEFAULT_IPC_LIMITS.wrongTokenDelayMs);
    expect(await client.next()).toMatchObject({ requestId: 1, success: false });
    expect((await client.call("runtime/ipc", 3)).error).toContain("the token that was presented is wrong");
    expect(await client.call("session/authenticate", 4, { token: TOKEN })).toMatchObject({ success: true });
    expect(await client.call("runtime/ipc", 5)).toMatchObject({ success: true });
  });

  it("is answered late for a wrong token, one at a time, and closed after a few; the others go on; nothing is logged of it", async () => {
    const clock = new ManualClock();
    const { log, entries } = recordingLog();
    await using test = await startTestCore({ env: { ...TCP, CONTINUUM_TOKEN: TOKEN }, clock, log });
    const guesser = await test.connect();
    const other = await test.connect();
    for (let guess = 1; guess <= DEFAULT_IPC_LIMITS.maxWrongTokens; guess += 1) {
      const token = `wrong-token-number-${guess}`;
      guesser.request("session/authenticate", 10 * guess, { token });
      // The right one isn't even looked at while the wrong one waits for its answer.
      const early = await guesser.call("session/authenticate", 10 * guess + 1, { token: TOKEN });
      expect(early).toMatchObject({ requestId: 10 * guess + 1, errorDetail: { kind: "accessDenied" } });
      await clock.advance(DEFAULT_IPC_LIMITS.wrongTokenDelayMs - 1);
      expect(await guesser.call("health-check", 10 * guess + 2)).toMatchObject({ requestId: 10 * guess + 2 });
      await clock.advance(1);
      expect(await guesser.next()).toMatchObject({
        requestId: 10 * guess,
        errorDetail: { kind: "accessDenied", command: "session/authenticate" },
      });
    }
    await guesser.closed();
    expect(await other.call("session/authenticate", 1, { token: TOKEN })).toMatchObject({ success: true });
    const metrics = { wrongTokens: DEFAULT_IPC_LIMITS.maxWrongTokens, unauthenticated: 0, connections: 1 };
    expect(await other.call("runtime/ipc", 2)).toMatchObject({ result: metrics });
    expect(entries.filter(({ msg }) => msg === "a wrong token came")).toHaveLength(3);
    expect(JSON.stringify(entries)).not.toMatch(/wrong-token-number|correct-horse/u);
  });

  it("is closed when it says nothing, or when too many owe a token; those who have presented it don't count", async () => {
    const clock = new ManualClock();
    const limits = { maxUnauthenticated: 2 };
    await using test = await startTestCore({ env: { ...TCP, CONTINUUM_TOKEN: TOKEN }, clock, limits });
    const known = await test.connect();
    await known.call("session/authenticate", 1, { token: TOKEN });
    const silent = await test.connect();
    const asking = await test.connect();
    await asking.call("health-check", 1);
    const oneTooMany = await test.connect();
    expect(await oneTooMany.next()).toMatchObject({ errorDetail: { kind: "overloaded" } });
    await oneTooMany.closed();
    await clock.advance(DEFAULT_IPC_LIMITS.tokenTimeoutMs - 1);
    await asking.call("health-check", 2);
    await clock.advance(1);
    expect(await silent.next()).toMatchObject({ errorDetail: { kind: "badRequest" } });
    await silent.closed();
    await clock.advance(10 * DEFAULT_IPC_LIMITS.tokenTimeoutMs);
    await asking.closed();
    expect(await known.call("runtime/ipc", 2)).toMatchObject({ result: { connections: 1 } });
  });

  it("of a browser is still closed at its first line", async () => {
    await using test = await startTestCore({ env: { ...TCP, CONTINUUM_TOKEN: TOKEN } });
    const browser = await test.connect();
    browser.send(
      `POST / HTTP/1.1\r\n\r\n{"command":"session/authenticate","requestId":1,"token":"${TOKEN}"}\n`,
    );
    expect(await browser.next()).toMatchObject({ errorDetail: { kind: "badRequest" } });
    await browser.closed();
    await expect(browser.next()).rejects.toThrow("closed");
  });
});
