import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectCore } from "@continuum/ipc-client";
import { runCli } from "./support/cli-process.js";
import { startCore, until } from "./support/core-process.js";

const KIB = 1024;
const DAY_MS = 86_400_000;

async function tempDirectory(): Promise<string> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "continuum-e2e-cache-")));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function makeFile(path: string, kib: number, ageDays: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, Buffer.alloc(kib * KIB, 1));
  const at = new Date(Date.now() - ageDays * DAY_MS);
  await utimes(path, at, at);
}

const noDocker = ["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "200"];

describe("cache directories in a real core", () => {
  it(
    "come down to the target; what is pinned, young, open or outside stays",
    { timeout: 120_000 },
    async () => {
      const cache = await tempDirectory();
      const outside = await tempDirectory();
      for (let i = 0; i < 8; i++) await makeFile(join(cache, `old-${i}/data`), 100, 20 + i);
      await makeFile(join(cache, "young/data"), 100, 1);
      await makeFile(join(cache, "pinned/data"), 100, 90);
      await makeFile(join(cache, "pinned/.continuum-keep"), 0, 90);
      await makeFile(join(cache, "vip-base/data"), 100, 90);
      await makeFile(join(cache, "open/data"), 100, 90);
      await makeFile(join(outside, "treasure/data"), 100, 900);
      await symlink(join(outside, "treasure"), join(cache, "link"));
      const reader = spawn("tail", ["-f", join(cache, "open/data")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      onTestFinished(async () => {
        const exited = once(reader, "exit");
        reader.kill("SIGKILL");
        await exited;
      });
      await once(reader.stdout, "data");

      const args = [...noDocker, "--cache-dir", `pkgs=${cache}@1300KiB`, "--cache-evict", "on"];
      await using core = await startCore({ args: [...args, "--cache-keep", "vip-*"] });
      await core.line(/📢 PressureAlert tier=cache-pkgs .*action=evicted/u);
      await using client = connectCore({ url: core.url });
      const view = await until(
        async () => {
          const { pools } = await client.pressureBrokerState();
          const found = pools.find(({ name }) => name === "cache-pkgs");
          return found !== undefined && found.pressure <= 0.6 ? found : undefined;
        },
        60_000,
        () => `it doesn't come down\n${core.stdout()}\n${core.stderr()}`,
      );
      expect(view.stats).toMatchObject({ maxBytes: 1300 * KIB });
      const left = await readdir(cache);
      expect(left).toEqual(expect.arrayContaining(["young", "pinned", "vip-base", "open", "link", "old-0"]));
      expect(left).not.toContain("old-7");
      expect(left.filter((name) => name.startsWith(".continuum"))).toEqual([]);
      expect(await readdir(join(outside, "treasure"))).toEqual(["data"]);
      expect(core.stderr()).toContain(`deleted ${join(cache, "old-7")}`);

      const { stdout } = await runCli(["status"], { CONTINUUM_CORE_URL: core.url });
      expect(stdout).toMatch(/^cache-pkgs /mu);
      // Also after a kill it is known what was deleted, by the ledger and by the command that people use.
      await core.end("SIGKILL");
      await using again = await startCore({ args: noDocker, home: dirname(core.socketPath) });
      await using later = connectCore({ url: again.url });
      const { records, durable } = await later.cacheEvictHistory({ pool: "cache-pkgs" });
      expect(durable).toBe(true);
      const gone = [...Array(8).keys()].map((i) => `old-${i}`).filter((name) => !left.includes(name));
      expect(records.map(({ key, outcome }) => [key, outcome]).sort()).toEqual(
        gone.map((name) => [name, "deleted"]).sort(),
      );
      const history = await runCli(["history"], { CONTINUUM_CORE_URL: again.url });
      expect(history.stdout).toMatch(
        new RegExp(`deleted +\\S+ kB +directory +${cache}/old-7 +cache-pkgs$`, "mu"),
      );
    },
  );

  it("are only observed unless told otherwise", { timeout: 120_000 }, async () => {
    const cache = await tempDirectory();
    for (let i = 0; i < 3; i++) await makeFile(join(cache, `models--o--n/blobs/b${i}`), 100, 20);
    await using core = await startCore({ args: [...noDocker, "--cache-dir", `hub=${cache}@300KiB`] });
    await core.line(/hot and stuck: cache-hub: eviction is off; it would delete \d x blob/u);
    await core.line(/--cache-evict on/u);
    expect(await readdir(join(cache, "models--o--n/blobs"))).toHaveLength(3);
  });

  it.each([
    ["/nonexistent/models", "isn't there"],
    ["/", "is the root of a filesystem"],
  ])("refuse %s as a usage error", async (path, message) => {
    await using core = await startCore({ args: ["--cache-dir", `models=${path}`], waitUntilUp: false });
    expect(await core.exit()).toMatchObject({ code: 2 });
    expect(core.stderr()).toContain(`--cache-dir: models: ${path} ${message}`);
  });
});
