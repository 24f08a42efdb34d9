import { once } from "node:events";
import { access, lstat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { startCoreProcess } from "./testing/core-process.js";
import { RawClient } from "./testing/raw-client.js";
import { tempDirectory } from "./testing/temp-directory.js";

const NO_ENGINE = ["--docker-host", "unix:///nonexistent/docker.sock"];
const READY = /listening on/u;

/** Real processes: each takes about a second to start from its source. */
describe("continuum-core", { timeout: 30_000 }, () => {
  it("says where it listens, what it found, and that it only observes; nothing but JSON goes to the log", async () => {
    await using home = await tempDirectory();
    await using core = startCoreProcess(home.path, NO_ENGINE);
    await core.printed(/CONTINUUM_EVICT/u);
    const [first, second, third] = core.stdout().split("\n");
    expect(first).toContain(`(pid ${core.pid}) listening on unix://${core.socketPath}`);
    expect(second).toMatch(/^tier docker: not detected: .*\/nonexistent\/docker\.sock/u);
    expect(third).toBe("eviction is off: the core only observes, and says what it would delete");
    for (const line of core.stderr().trim().split("\n")) expect(JSON.parse(line)).toHaveProperty("level");
    expect((await lstat(core.socketPath)).mode & 0o777).toBe(0o600);
    await using client = await RawClient.connect(core.socketPath);
    expect(await client.call("system/docker-tier-stats", 1)).toMatchObject({
      result: { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false },
    });
  });

  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends on %s within 2 s, with 0, and removes its socket",
    async (signal) => {
      await using home = await tempDirectory();
      await using core = startCoreProcess(home.path, NO_ENGINE);
      await core.printed(READY);
      await using client = await RawClient.connect(core.socketPath);
      const startedAt = performance.now();
      core.kill(signal);
      expect(await core.exit).toBe(0);
      expect(performance.now() - startedAt).toBeLessThan(2000);
      await client.closed();
      await expect(access(core.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
    },
  );

  it("ends at once on a second signal", async () => {
    await using home = await tempDirectory();
    await using core = startCoreProcess(home.path, NO_ENGINE);
    await core.printed(READY);
    // A peer that keeps its side open makes the core wait a little.
    await using client = await RawClient.connect(core.socketPath, true);
    await client.call("health-check", 1);
    const startedAt = performance.now();
    core.kill("SIGTERM");
    await once(client.socket, "end");
    core.kill("SIGINT");
    expect(await core.exit).toBe(130);
    expect(performance.now() - startedAt).toBeLessThan(900);
    await expect(access(core.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("logs an error that nobody caught, ends with 1, and removes its socket", async () => {
    await using home = await tempDirectory();
    const bug = 'process.on("SIGUSR2", () => { throw new Error("boom") })';
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bug)}` };
    await using core = startCoreProcess(home.path, NO_ENGINE, env);
    await core.printed(READY);
    core.kill("SIGUSR2");
    expect(await core.exit).toBe(1);
    expect(core.stderr()).toMatch(/"level":"fatal".*boom/u);
    await expect(access(core.socketPath)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("goes on after a promise that failed and that nobody waited for, logs and counts it; many in a minute end it", async () => {
    await using home = await tempDirectory();
    const bug = 'process.on("SIGUSR2", () => { Promise.reject(new Error("stray")) })';
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(bug)}` };
    await using core = startCoreProcess(home.path, NO_ENGINE, env);
    await core.printed(READY);
    await using client = await RawClient.connect(core.socketPath);
    const countOf = async (id: number): Promise<number> => {
      const { result } = (await client.call("runtime/list", id)) as {
        result: { unhandledRejections: number };
      };
      return result.unhandledRejections;
    };
    expect(await countOf(1)).toBe(0);
    let asked = 1;
    for (let stray = 1; stray <= 10; stray++) {
      core.kill("SIGUSR2");
      // A signal that comes before the one before it was taken is lost: each is waited for.
      while ((await countOf((asked += 1))) < stray);
    }
    expect(core.stderr()).toMatch(/"level":"error".*a promise failed that nobody waited for: stray/u);
    core.kill("SIGUSR2");
    expect(await core.exit).toBe(1);
    expect(core.stderr()).toMatch(/"level":"fatal".*stray/u);
  }, 20_000);

  it("names the core that runs already, in one line, with 3", async () => {
    await using home = await tempDirectory();
    await using first = startCoreProcess(home.path, NO_ENGINE);
    await first.printed(READY);
    await using second = startCoreProcess(home.path, [...NO_ENGINE, "--log-level", "silent"]);
    expect(await second.exit).toBe(3);
    expect(second.stdout()).toBe("");
    expect(second.stderr()).toMatch(/^continuum-core: [^\n]*pid \d+[^\n]*\n$/u);
    expect(second.stderr()).toContain(`pid ${first.pid} `);
    expect(second.stderr()).toContain(first.socketPath);
    await using client = await RawClient.connect(first.socketPath);
    expect(await client.call("health-check", 1)).toMatchObject({ result: { pid: first.pid } });
  });

  it("replaces the socket of a core that was killed", async () => {
    await using home = await tempDirectory();
    await using first = startCoreProcess(home.path, NO_ENGINE);
    await first.printed(READY);
    first.kill("SIGKILL");
    expect(await first.exit).toBe("SIGKILL");
    await access(first.socketPath);
    await using second = startCoreProcess(home.path, NO_ENGINE);
    await second.printed(READY);
    await using client = await RawClient.connect(second.socketPath);
    expect(await client.call("health-check", 1)).toMatchObject({ result: { pid: second.pid } });
  });

  it("refuses what it can't use with 2 and one line that names it", async () => {
    await using home = await tempDirectory();
    await using byFlag = startCoreProcess(home.path, ["--min-age", "yesterday"]);
    await using byVariable = startCoreProcess(home.path, [], { CONTINUUM_CORE_URL: "tcp://0.0.0.0:1" });
    expect(await byFlag.exit).toBe(2);
    expect(byFlag.stderr()).toMatch(
      /^continuum-core: --min-age: got "yesterday", expected a duration[^\n]*\n$/u,
    );
    expect(await byVariable.exit).toBe(2);
    expect(byVariable.stderr()).toMatch(/^continuum-core: CONTINUUM_CORE_URL: [^\n]*loopback[^\n]*\n$/u);
  });

  it("prints its help on standard output with 0", async () => {
    await using home = await tempDirectory();
    await using core = startCoreProcess(home.path, ["--help"]);
    expect(await core.exit).toBe(0);
    expect(core.stdout()).toContain("--evict <MODE>");
    expect(core.stderr()).toBe("");
  });
});
