import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectCore } from "./connect-core.js";
import { resolveEndpoint } from "./endpoint.js";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { ScriptedPeer } from "./testing/scripted-peer.js";
import { resolveToken, toTokenSource } from "./token.js";

const local = resolveEndpoint({}, "tcp://127.0.0.1:7");
const remote = resolveEndpoint({}, "tcp://192.168.0.1:7");
const stats = { capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true };

describe("where the token is", () => {
  const env = { CONTINUUM_HOME: "/h", CONTINUUM_TOKEN: "env", CONTINUUM_TOKEN_FILE: "/f" };
  const own = { kind: "file", path: "/h/token", isRequired: false };

  it("is the option, then the variable, then the file, then the core's own", () => {
    expect(toTokenSource(local, env, "option")).toEqual({ kind: "given", token: "option" });
    expect(toTokenSource(local, env)).toEqual({ kind: "given", token: "env" });
    const file = { kind: "file", path: "/f", isRequired: true };
    expect(toTokenSource(local, { ...env, CONTINUUM_TOKEN: "" })).toEqual(file);
    expect(toTokenSource(local, { CONTINUUM_HOME: "/h" })).toEqual(own);
    expect(toTokenSource(local, { XDG_RUNTIME_DIR: "/run/user/1" })).toMatchObject({
      path: "/run/user/1/continuum/token",
    });
  });

  it("is this user's own for cores of this machine only, and none for a Unix socket", () => {
    const home = { CONTINUUM_HOME: "/h" };
    for (const host of ["localhost", "127.9.9.9", "0.0.0.0", "[::1]", "[::]"]) {
      expect(toTokenSource(resolveEndpoint({}, `tcp://${host}:7`), home)).toEqual(own);
    }
    for (const host of ["192.168.0.1", "core.example", "127.0.0.1.example", "[2001:db8::1]"]) {
      expect(toTokenSource(resolveEndpoint({}, `tcp://${host}:7`), home)).toBeNull();
    }
    expect(toTokenSource(remote, env)).toEqual({ kind: "given", token: "env" });
    expect(toTokenSource(resolveEndpoint({}, "/c.sock"), env, "option")).toBeNull();
  });
});

describe("a client of a core on TCP", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-token-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it("presents the token before anything else, waits for no answer, and again on each connection", async () => {
    await using peer = await ScriptedPeer.startTcp();
    await using client = new RustCoreIPCClient({ url: peer.url, token: "secret" });
    for (let connection = 0; connection < 2; connection += 1) {
      const pending = client.dockerTierStats();
      expect(await peer.next()).toMatchObject({
        command: "session/authenticate",
        params: { token: "secret" },
      });
      const request = await peer.next();
      expect(request.command).toBe("system/docker-tier-stats");
      request.reply(stats);
      expect(await pending).toEqual(stats);
      await peer.kill();
      await peer.listen();
    }
  });

  it("goes on with a core that doesn't know of tokens", async () => {
    await using peer = await ScriptedPeer.startTcp((request) => {
      if (request.command === "session/authenticate") request.fail("unknown command");
      else request.reply(stats);
    });
    await using client = new RustCoreIPCClient({ url: peer.url, token: "secret" });
    expect(await client.dockerTierStats()).toEqual(stats);
  });

  it("reads the file anew for each connection, and sends nothing where the core's own isn't there", async () => {
    await using peer = await ScriptedPeer.startTcp();
    const env = { CONTINUUM_HOME: home };
    await using client = new RustCoreIPCClient({ url: peer.url, env });
    const ask = async (): Promise<unknown> => {
      const pending = client.dockerTierStats();
      const first = await peer.next();
      if (first.command === "session/authenticate") (await peer.next()).reply(stats);
      else first.reply(stats);
      await pending;
      await peer.kill();
      await peer.listen();
      return first.params["token"];
    };
    expect(await ask()).toBeUndefined();
    await writeFile(join(home, "token"), "first\n");
    expect(await ask()).toBe("first");
    await writeFile(join(home, "token"), "second\n");
    expect(await ask()).toBe("second");
    expect(resolveToken(local, env)).toBe("second");
  });

  it("fails with denied where a file that was named can't be read, and leaves no socket", async () => {
    await using peer = await ScriptedPeer.startTcp();
    const env = { CONTINUUM_TOKEN_FILE: join(home, "nothing") };
    await using client = new RustCoreIPCClient({ url: peer.url, env });
    await expect(client.dockerTierStats()).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining(join(home, "nothing")) as string,
      mayHaveExecuted: false,
    });
  });

  it("is shared by those who have the same token", async () => {
    await using peer = await ScriptedPeer.startTcp();
    await using one = connectCore({ url: peer.url, token: "a" });
    await using other = connectCore({ url: peer.url, token: "b" });
    expect(connectCore({ url: peer.url, env: { CONTINUUM_TOKEN: "a" } })).toBe(one);
    expect(other).not.toBe(one);
  });
});
