import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startCore, until } from "./support/core-process.js";
import { connectRaw } from "./support/raw-peer.js";

const noEngine = ["--docker-host", "unix:///nonexistent/docker.sock"];

describe("a core's life", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-e2e-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it.each(["SIGTERM", "SIGINT"] as const)("%s stops it within 2 s and removes the socket", async (signal) => {
    await using core = await startCore({ home, args: noEngine });
    await using idle = await connectRaw(core.socketPath);
    const { code, tookMs } = await core.end(signal);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(2000);
    await expect(access(core.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
    await idle.closed();
  });

  it("SIGTERM under 200 expensive requests: each gets its reply, or is told why not", async () => {
    await using core = await startCore({ home, args: noEngine });
    await using peer = await connectRaw(core.socketPath);
    const ids = Array.from({ length: 200 }, (_, index) => index + 1);
    const request = { command: "system/resources", includeProcesses: true };
    peer.send(ids.map((requestId) => `${JSON.stringify({ ...request, requestId })}\n`).join(""));
    // The core has begun with them.
    const replies = [await peer.next()];
    const ended = core.end("SIGTERM");
    while (replies.length < ids.length) replies.push(await peer.next());
    const { code, tookMs } = await ended;
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(2000);
    expect(replies.map(({ requestId }) => requestId).sort((a, b) => Number(a) - Number(b))).toEqual(ids);
    const refused = replies.filter(({ success }) => success !== true);
    for (const { errorDetail } of refused) expect(errorDetail).toMatchObject({ kind: "shuttingDown" });
    // One reading of the processes answers all that came meanwhile.
    expect(refused.length).toBeLessThan(ids.length / 2);
  });

  it("a second start names the running one and leaves it alone", async () => {
    await using first = await startCore({ home, args: noEngine });
    await using second = await startCore({ home, args: noEngine, waitUntilUp: false });
    const { code } = await second.exit();
    expect(code).not.toBe(0);
    expect(second.stderr()).toContain(String(first.pid));
    expect(second.stderr()).toContain(first.socketPath);
    await using peer = await connectRaw(first.socketPath);
    peer.send('{"command":"health-check","requestId":1}\n');
    expect(await peer.next()).toMatchObject({ success: true });
  });

  it("a socket left by kill -9 is replaced", async () => {
    await using first = await startCore({ home, args: noEngine });
    await first.end("SIGKILL");
    await access(first.socketPath);
    await using second = await startCore({ home, args: noEngine });
    await using peer = await connectRaw(second.socketPath);
    peer.send('{"command":"health-check","requestId":1}\n');
    expect(await peer.next()).toMatchObject({ success: true, result: { pid: second.pid } });
  });

  it.each([
    [["--act-above", "lots"], "--act-above"],
    [["--target", "0.9", "--act-above", "0.8"], "--target"],
    [["--evict", "everything"], "--evict"],
    [["--min-age", "yesterday"], "--min-age"],
    [["--tick-ms", "0"], "--tick-ms"],
    [["--docker-host", "ssh://somewhere"], "--docker-host"],
    [["--no-such-flag"], "--no-such-flag"],
  ])("refuses %j, naming what is wrong", async (args, named) => {
    await using core = await startCore({ home, args, waitUntilUp: false });
    const { code } = await core.exit();
    expect(code).toBe(2);
    expect(core.stderr()).toContain(named);
  });

  it("takes each setting from the environment too", async () => {
    await using core = await startCore({ home, env: { CONTINUUM_EVICT: "everything" }, waitUntilUp: false });
    expect((await core.exit()).code).toBe(2);
    expect(core.stderr()).toContain("CONTINUUM_EVICT");
  });

  it("refuses to listen beyond loopback", async () => {
    await using core = await startCore({
      home,
      args: noEngine,
      env: { CONTINUUM_CORE_URL: "tcp://0.0.0.0:0" },
      waitUntilUp: false,
    });
    expect((await core.exit()).code).toBe(2);
    expect(core.stderr()).toContain("loopback");
  });
});

describe("npm start", () => {
  it("ends the core when npm itself is told to end", { timeout: 120_000 }, async () => {
    const home = await mkdtemp(join(tmpdir(), "continuum-e2e-"));
    const npm = spawn("npm", ["start", "--", "--docker-host", "unix:///nonexistent/docker.sock"], {
      cwd: join(import.meta.dirname, "../../.."),
      env: { PATH: process.env["PATH"] ?? "", HOME: home, CONTINUUM_HOME: home, NX_DAEMON: "false" },
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      let said = "";
      npm.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
      await until(
        () => (said.includes("listening on") ? true : undefined),
        90_000,
        () => said,
      );
      await access(join(home, "core.sock"));
      npm.kill("SIGTERM");
      await until(
        () =>
          access(join(home, "core.sock")).then(
            () => undefined,
            () => true,
          ),
        2_000,
        () => "the core goes on after npm has ended",
      );
    } finally {
      npm.kill("SIGKILL");
      if (npm.exitCode === null && npm.signalCode === null) await once(npm, "exit");
      await rm(home, { recursive: true, force: true });
    }
  });
});
