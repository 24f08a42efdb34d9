import { createProtectedScene, verifyScene } from "@continuum/tools/docker-lab";
import { connectCore } from "@continuum/ipc-client";
import type { PressureAlert } from "@continuum/wire-types";
import { expect, it } from "vitest";
import { runCli } from "./support/cli-process.js";
import { startCore, until } from "./support/core-process.js";
import { describeWithLab } from "./support/lab-suite.js";

/** Relative difference, for figures of two witnesses. */
const apart = (a: number, b: number): number => Math.abs(a - b) / Math.max(1, Math.abs(b));

describeWithLab("relief of a real disk that is 97 % full", {}, (lab) => {
  it(
    "brings it to the target and not far below, with every protected thing there afterwards",
    { timeout: 300_000 },
    async () => {
      const scene = await createProtectedScene(lab());
      await lab().fillTo(0.97, { imageBytes: 40_000_000 });
      const before = await lab().df();
      expect(before.pressure).toBeGreaterThan(0.96);

      const alerts: PressureAlert[] = [];
      await using core = await startCore({
        args: [
          "--docker-host",
          lab().dockerHost,
          "--tick-ms",
          "1000",
          "--evict",
          "standard",
          "--min-age",
          "0s",
        ],
      });
      await using client = connectCore({ url: core.url });
      const listening = new AbortController();
      const listener = (async () => {
        for await (const alert of client.events("pressure-alert", { signal: listening.signal }))
          alerts.push(alert);
      })();
      await core.line(/critical/);

      const after = await until(
        async () => {
          const state = await client.pressureBrokerState();
          const df = await lab().df();
          return state.bytesFreedTotal > 0 && df.pressure < 0.61 ? df : undefined;
        },
        120_000,
        () => `the disk isn't relieved\n${core.stdout()}\n${core.stderr()}`,
      );
      listening.abort();
      await listener.catch((error: unknown) => {
        if (!(error instanceof Error) || error.name !== "ConnectionError") throw error;
      });

      expect(after.pressure).toBeLessThanOrEqual(0.6);
      expect(after.pressure).toBeGreaterThan(0.55);
      expect(await verifyScene(scene)).toEqual([]);

      const state = await client.pressureBrokerState();
      expect(apart(state.bytesFreedTotal, before.usedBytes - after.usedBytes)).toBeLessThan(0.02);
      expect(core.stdout()).toMatch(
        /📢 PressureAlert tier=docker severity=critical pressure=0\.9\d freed=\S+ action=evicted/u,
      );
      console.log(
        `relief: ${(before.pressure * 100).toFixed(1)} % -> ${(after.pressure * 100).toFixed(1)} %, ` +
          `df freed ${before.usedBytes - after.usedBytes} B, measured ${state.bytesFreedTotal} B, ${alerts.length} alert(s) heard`,
      );
    },
  );

  it("agrees with df to 1 %", async () => {
    await using core = await startCore({ args: ["--docker-host", lab().dockerHost] });
    await using client = connectCore({ url: core.url });
    const stats = await client.dockerTierStats();
    const df = await lab().df();
    expect(stats.detected).toBe(true);
    expect(apart(stats.usedBytes, df.usedBytes)).toBeLessThan(0.01);
    expect(apart(stats.capacityBytes, df.capacityBytes)).toBeLessThan(0.01);
    expect(stats.pressure).toBe(stats.usedBytes / stats.capacityBytes);
    expect(await client.dockerTierProbe()).toMatchObject({ kind: "detected", path: lab().dataRoot });
  });
});

describeWithLab("a core that is stopped in the middle of relief", {}, (lab) => {
  it("measures what it did, and never calls it stuck", { timeout: 300_000 }, async () => {
    await lab().fillTo(0.97, { imageBytes: 10_000_000 });
    await using core = await startCore({
      args: ["--docker-host", lab().dockerHost, "--tick-ms", "500", "--evict", "standard", "--min-age", "0s"],
    });
    const before = await lab().df();
    await until(
      () => (core.stderr().includes("deleted image") ? true : undefined),
      60_000,
      () => `nothing is deleted\n${core.stdout()}\n${core.stderr()}`,
    );
    const { code, tookMs } = await core.end("SIGTERM");
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(2000);
    expect(core.stdout()).not.toMatch(/stuck/u);
    const freedBytes = before.usedBytes - (await lab().df()).usedBytes;
    const logged = [...core.stderr().matchAll(/"outcome":"deleted"[^\n]*?"measuredBytes":(\d+)/gu)].map(
      ([, bytes]) => Number(bytes),
    );
    expect(
      apart(
        logged.reduce((sum, bytes) => sum + bytes, 0),
        freedBytes,
      ),
    ).toBeLessThan(0.02);
  });
});

describeWithLab("a base image under a container", {}, (lab) => {
  it("stays: deleting it would free nothing", { timeout: 300_000 }, async () => {
    await lab().importImage({ name: "base/local:1", bytes: 150_000_000, runnable: true });
    await lab().buildImage({
      name: "child/used:1",
      from: "base/local:1",
      layers: [{ bytes: 1_000_000 }],
      buildkit: false,
    });
    await lab().createStopped({ image: "child/used:1", name: "keeps-child" });
    await lab().fillTo(0.9, { imageBytes: 40_000_000 });
    await using core = await startCore({
      args: ["--docker-host", lab().dockerHost, "--tick-ms", "500", "--evict", "standard", "--min-age", "0s"],
    });
    await core.line(/action=evicted/u, 60_000);
    const { stdout } = await lab().docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]);
    expect(stdout).toContain("base/local:1");
    expect(stdout).toContain("child/used:1");
    expect((await lab().df()).pressure).toBeLessThan(0.61);
  });
});

describeWithLab("a core that may only delete what can be had again", {}, (lab) => {
  it("leaves images without a registry digest alone", { timeout: 300_000 }, async () => {
    const { images } = await lab().fillTo(0.9, { imageBytes: 100_000_000 });
    await using core = await startCore({
      args: [
        "--docker-host",
        lab().dockerHost,
        "--tick-ms",
        "500",
        "--evict",
        "conservative",
        "--min-age",
        "0s",
      ],
    });
    await core.line(/hot and stuck/u, 60_000);
    const { stdout } = await lab().docker(["image", "ls", "-q"]);
    expect(stdout.trim().split("\n").length).toBeGreaterThanOrEqual(images.length);
  });
});

describeWithLab("a core that only observes", {}, (lab) => {
  it("deletes nothing, says hot and stuck, and how to switch eviction on", { timeout: 300_000 }, async () => {
    await lab().fillTo(0.97, { imageBytes: 80_000_000 });
    const imageIds = async (): Promise<readonly string[]> =>
      (await lab().docker(["image", "ls", "-aq", "--no-trunc"])).stdout.trim().split("\n").sort();
    const images = await imageIds();
    await using core = await startCore({
      args: ["--docker-host", lab().dockerHost, "--tick-ms", "1000", "--min-age", "0s"],
    });
    await using client = connectCore({ url: core.url });
    expect(await core.line(/📢 PressureAlert/u)).toMatch(/freed=0B action=stuck/u);
    // The lines come one by one: the next may be a moment later.
    await core.line(/hot and stuck/u);
    expect(core.stdout()).toMatch(/--evict/u);
    expect(await imageIds()).toEqual(images);
    const state = await client.pressureBrokerState();
    expect(state).toMatchObject({ globalTier: "critical", bytesFreedTotal: 0, evictionsFired: 0 });

    const { stdout, code } = await runCli(["status"], { CONTINUUM_CORE_URL: core.url });
    expect(code).toBe(0);
    expect(stdout).toMatch(/docker .*critical/u);
    expect(stdout).toMatch(/^warning: .*Docker disk is 97 % full/mu);
  });
});

describeWithLab("an engine that dies and comes back", { sizeBytes: 512 * 1024 * 1024 }, (lab) => {
  it("no hang, no wrong figure, recovery by itself", { timeout: 180_000 }, async () => {
    await lab().importImage({ name: "first:1", bytes: 50_000_000 });
    await using core = await startCore({
      args: ["--docker-host", lab().dockerHost, "--tick-ms", "500", "--evict", "standard", "--min-age", "0s"],
    });
    await using client = connectCore({ url: core.url });

    const right = async (): Promise<boolean> => {
      const started = performance.now();
      const stats = await client.dockerTierStats();
      expect(performance.now() - started).toBeLessThan(5000);
      const df = await lab().df();
      if (stats.detected) expect(apart(stats.usedBytes, df.usedBytes)).toBeLessThan(0.05);
      else expect(stats).toEqual({ capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false });
      return stats.detected;
    };
    expect(await right()).toBe(true);
    await lab().killEngine();
    for (let i = 0; i < 20; i += 1) await right();
    await lab().startEngine();
    await until(
      async () => ((await right()) ? true : undefined),
      60_000,
      () => "the tier isn't found again",
    );

    // A stopped engine accepts connections and never answers.
    lab().pauseEngine();
    try {
      for (let i = 0; i < 5; i += 1) await right();
    } finally {
      lab().resumeEngine();
    }
    await until(
      async () => ((await right()) ? true : undefined),
      60_000,
      () => "the tier isn't found again",
    );

    // And relief works again, with the same core.
    await lab().fillTo(0.9, { imageBytes: 30_000_000 });
    await until(
      async () => ((await lab().df()).pressure < 0.65 ? true : undefined),
      90_000,
      () => `no relief after the engine came back\n${core.stdout()}\n${core.stderr()}`,
    );
  });
});
