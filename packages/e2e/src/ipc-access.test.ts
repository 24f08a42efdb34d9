import { CommandError, RustCoreIPCClient } from "@continuum/ipc-client";
import { chmod, lstat, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCli } from "./support/cli-process.js";
import { type CoreProcess, startCore } from "./support/core-process.js";
import { runConformance } from "./support/run-conformance.js";

const noEngine = ["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "250"];

/** Who gets into a real core, and what for: by the rights of a socket's file, or by a token. */
describe("the ways into a core", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-access-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  /** Starts one on a port of its own, and gives its URL. */
  async function startTcp(options: { args?: string[]; env?: Record<string, string> } = {}): Promise<{
    core: CoreProcess;
    url: string;
  }> {
    const args = [...noEngine, "--socket", "tcp://127.0.0.1:0", ...(options.args ?? [])];
    const core = await startCore({ home, args, env: options.env ?? {}, waitUntilUp: false });
    const line = await core.line(/listening on/u);
    return { core, url: /tcp:\S+/u.exec(line)?.[0] ?? "" };
  }

  it("TCP: the command line finds the token of its own user's core, and nobody else gets in", async () => {
    const started = await startTcp();
    await using core = started.core;
    const { url } = started;
    const tokenPath = join(home, "token");
    expect(await core.line(/a token is owed/u)).toContain(tokenPath);
    expect((await lstat(tokenPath)).mode & 0o777).toBe(0o600);

    const own = { CONTINUUM_HOME: home, CONTINUUM_CORE_URL: url };
    expect(await runCli(["status"], own)).toMatchObject({ code: 0 });
    const token = (await readFile(tokenPath, "utf8")).trim();
    const strangerHome = { CONTINUUM_HOME: join(home, "stranger"), CONTINUUM_CORE_URL: url };
    expect(await runCli(["status"], { ...strangerHome, CONTINUUM_TOKEN: token })).toMatchObject({ code: 0 });
    expect(await runCli(["status"], { ...strangerHome, CONTINUUM_TOKEN_FILE: tokenPath })).toMatchObject({
      code: 0,
    });
    for (const [env, said] of [
      [strangerHome, /this connection owes a token: present .*CONTINUUM_TOKEN/u],
      [{ ...strangerHome, CONTINUUM_TOKEN: "not the token" }, /token that was presented is wrong/u],
    ] as const) {
      const { code, stderr } = await runCli(["status"], env);
      expect(code).toBe(1);
      expect(stderr).toMatch(said);
    }
    // Alive is what anybody may ask.
    expect(await runCli(["call", "health-check"], strangerHome)).toMatchObject({ code: 0 });
    for (const text of [core.stdout(), core.stderr()]) {
      expect(text).not.toContain(token);
      expect(text).not.toContain("not the token");
    }
  });

  it("TCP: clients and their streams outlive a restart with another token", async () => {
    const first = await startTcp();
    const { url } = first;
    await using client = new RustCoreIPCClient({ url, env: { CONTINUUM_HOME: home } });
    const gaps: string[] = [];
    await using states = client.events("pressure-state", { onGap: ({ reason }) => gaps.push(reason) });
    await states.next();
    await first.core.end("SIGKILL");
    await writeFile(join(home, "token"), "quite-another-token\n", { mode: 0o600 });
    const args = [...noEngine, "--socket", url];
    await using core = await startCore({ home, args, waitUntilUp: false });
    await core.line(/listening on/u);
    await states.next();
    expect(gaps).toContain("reconnected");
    await client.close();
    await using stranger = new RustCoreIPCClient({ url, token: "not-this-token-at-all" });
    const stream = stranger.events("pressure-state");
    await expect(stream.next()).rejects.toMatchObject({
      name: "CommandError",
      errorDetail: { kind: "accessDenied", command: "events/subscribe" },
    });
  });

  it("TCP: beyond loopback only when told so, and then with a warning", async () => {
    const beyond = [...noEngine, "--socket", "tcp://0.0.0.0:0"];
    await using refused = await startCore({ home, args: beyond, waitUntilUp: false });
    expect((await refused.exit()).code).toBe(2);
    expect(refused.stderr()).toContain("--listen-anywhere");
    await using core = await startCore({ home, args: [...beyond, "--listen-anywhere"], waitUntilUp: false });
    const line = await core.line(/listening on/u);
    expect(await core.line(/warning: other machines/u)).toContain("token");
    const url = /tcp:\S+/u.exec(line)?.[0] ?? "";
    expect(await runCli(["status"], { CONTINUUM_HOME: home, CONTINUUM_CORE_URL: url })).toMatchObject({
      code: 0,
    });
  });

  it("TCP: a token file that others may read is refused, in one line that doesn't hold it", async () => {
    const path = join(home, "mine");
    await writeFile(path, "a-token-that-leaked\n", { mode: 0o600 });
    await chmod(path, 0o644);
    const args = [...noEngine, "--socket", "tcp://127.0.0.1:0", "--token-file", path];
    await using core = await startCore({ home, args, waitUntilUp: false });
    expect((await core.exit()).code).toBe(2);
    expect(core.stderr()).toMatch(/^continuum-core: --token-file: others may read .*chmod 600/mu);
    expect(core.stderr()).not.toContain("leaked");
  });

  it("TCP: the conformance suite takes the token the same way", async () => {
    const started = await startTcp();
    await using core = started.core;
    expect(core.pid).toBeGreaterThan(0);
    const env = { CONTINUUM_HOME: home };
    expect(await runConformance(["--url", started.url, "framing/"], env)).toMatchObject({ code: 0 });
    const stranger = await runConformance(["--url", started.url, "framing/"], {
      ...env,
      CONTINUUM_TOKEN: "none of it",
    });
    expect(stranger.code).toBe(1);
  });

  it("a read-only socket: everything may be read, nothing changed, and its file says who", async () => {
    await mkdir(join(home, "read"));
    await chmod(join(home, "read"), 0o2750);
    const path = join(home, "read", "core.sock");
    await using core = await startCore({ home, args: [...noEngine, "--read-socket", path] });
    expect(await core.line(/read-only/u)).toContain(path);
    expect((await lstat(path)).mode & 0o777).toBe(0o660);
    // Chosen by a person: left as it is.
    expect((await lstat(join(home, "read"))).mode & 0o7777).toBe(0o2750);
    await using reader = new RustCoreIPCClient({ url: path });
    expect(await reader.dockerTierStats()).toMatchObject({ detected: false });
    await using states = reader.events("pressure-state");
    expect((await states.next()).value).toMatchObject({ pools: [{ name: "docker" }] });
    const refused: unknown = await reader
      .poolRegister({ name: "kv", capacityBytes: 1, usedBytes: 1, reportEveryMs: 1000 })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CommandError);
    expect(refused).toMatchObject({ errorDetail: { kind: "accessDenied", accessLevel: "admin-only" } });
    await core.end("SIGTERM");
    await expect(lstat(path)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
