import { verifyScene } from "@continuum/tools/docker-lab";
import { connectCore } from "@continuum/ipc-client";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { runCli } from "./support/cli-process.js";
import { startCore, until } from "./support/core-process.js";
import { describeWithLab } from "./support/lab-suite.js";
import { fillMixed } from "./support/mixed-content.js";

const TARGET = 0.6;

/** Relative difference, for figures of two witnesses. */
const apart = (a: number, b: number): number => Math.abs(a - b) / Math.max(1, Math.abs(b));

describe.each(["conservative", "standard", "aggressive"] as const)("policy %s", (policy) => {
  describeWithLab("a mixed disk, 97 % full", { registry: true }, (lab) => {
    it(
      "reaches the target, not one image further, and loses nothing that is protected",
      { timeout: 300_000 },
      async () => {
        const { scene, pulled, local, largestBytes } = await fillMixed(lab());
        const before = await lab().df();
        expect(before.pressure).toBeGreaterThan(0.96);
        const args = [
          "--docker-host",
          lab().dockerHost,
          "--tick-ms",
          "1000",
          "--evict",
          policy,
          "--min-age",
          "0s",
        ];
        await using core = await startCore({ args });
        await using client = connectCore({ url: core.url });
        // Who fills it: the log that nobody rotates among them.
        const { categories, entries } = await client.dockerTierUsage({ limit: 1000 });
        const log = entries.find(({ kind, name }) => kind === "containerLog" && name === "log of talks");
        expect(log?.sizeBytes).toBeGreaterThan(20_000_000);
        expect(categories.map(({ kind }) => kind).sort()).toEqual([
          "buildCache",
          "container",
          "containerLog",
          "image",
          "volume",
        ]);
        const after = await until(
          async () => {
            const { bytesFreedTotal, pools } = await client.pressureBrokerState();
            const isOver = pools.every(({ stats }) => stats.inflightCount === 0);
            const df = await lab().df();
            return bytesFreedTotal > 0 && isOver && df.pressure <= TARGET ? df : undefined;
          },
          120_000,
          () => `the disk isn't relieved\n${core.stdout()}\n${core.stderr()}`,
        );
        expect(after.usedBytes).toBeGreaterThanOrEqual(TARGET * after.capacityBytes - largestBytes);

        const lost = await verifyScene(scene);
        const mayGo = policy === "aggressive" ? /scene-stopped|scene\/stopped/u : /^$/u;
        expect(lost.filter((line) => !mayGo.test(line))).toEqual([]);
        const names = (
          await lab().docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])
        ).stdout.split("\n");
        const kept = new Set(names);
        if (policy === "conservative") expect(local.filter((name) => !kept.has(name))).toEqual([]);
        if (policy !== "aggressive") {
          const { stdout } = await lab().docker(["ps", "-a", "--format", "{{.Names}}"]);
          expect(stdout).toContain("ended-0");
          expect(stdout).toContain("ended-1");
        }

        // The ledger agrees with df: what the deletions freed by measurement, and nothing twice.
        const { records, durable } = await client.dockerEvictHistory({ limit: 1000 });
        expect(durable).toBe(true);
        const deleted = records.filter(({ outcome }) => outcome === "deleted");
        const measured = deleted.reduce((sum, { measuredBytes }) => sum + (measuredBytes ?? 0), 0);
        expect(apart(measured, before.usedBytes - after.usedBytes)).toBeLessThan(0.01);
        expect(new Set(deleted.map(({ id }) => id)).size).toBe(deleted.length);
        for (const { id, kind } of deleted) {
          expect(
            records.some((each) => each.id === id && each.kind === kind && each.outcome === "intended"),
          ).toBe(true);
        }
        const state = await client.pressureBrokerState();
        expect(apart(state.bytesFreedTotal, before.usedBytes - after.usedBytes)).toBeLessThan(0.01);
        console.log(
          `${policy}: ${(before.pressure * 100).toFixed(1)} % -> ${(after.pressure * 100).toFixed(1)} %, ` +
            `${deleted.length} deleted, ${measured} bytes by the ledger, ${before.usedBytes - after.usedBytes} by df`,
        );

        // And what went comes back, the same to the digest.
        const gone = pulled.find(({ name }) => !kept.has(name));
        if (gone === undefined) return;
        const undone = await client.dockerEvictUndo({ image: gone.name, waitMs: 30_000 });
        expect(undone).toMatchObject({ state: "finished", restoredCount: 1 });
        expect(await lab().imageId(gone.name)).toBe(gone.id);
        const digests = await lab().docker([
          "image",
          "inspect",
          "--format",
          "{{json .RepoDigests}}",
          gone.name,
        ]);
        expect(JSON.parse(digests.stdout)).toContain(gone.digestReference);
      },
    );
  });
});

describeWithLab("a plan, applied by a person", { registry: true, sizeBytes: 512 * 2 ** 20 }, (lab) => {
  it(
    "says who fills the disk, deletes what the plan says and nothing else, and takes it back",
    { timeout: 300_000 },
    async () => {
      await lab().importImage({ name: "mine/a:1", bytes: 30_000_000 });
      await lab().importImage({ name: "mine/b:1", bytes: 60_000_000 });
      const { name } = await lab().pushImage("mine/b:1", "mine/b:1");
      await lab().createVolume({ name: "precious", bytes: 20_000_000 });
      await lab().runContainer({ name: "busy" });
      await using core = await startCore({
        args: ["--docker-host", lab().dockerHost, "--tick-ms", "1000", "--min-age", "0s"],
      });
      await using client = connectCore({ url: core.url });
      const env = { CONTINUUM_CORE_URL: core.url };

      // The journal takes stock beside the first answers: of what ran before the core it knows a moment later.
      const usage = await until(
        async () => {
          const asked = await client.dockerTierUsage({ maxAgeMs: 0 });
          return asked.journal.watching ? asked : undefined;
        },
        30_000,
        () => "the journal doesn't watch",
      );
      const df = await lab().df();
      expect(usage.reading).toMatchObject({ source: "engineRoot", stale: false, binds: "bytes" });
      expect(apart(usage.reading?.usedBytes ?? 0, df.usedBytes)).toBeLessThan(0.01);
      const bytesOf = (kind: string): number =>
        usage.categories.find((each) => each.kind === kind)?.bytes ?? 0;
      expect(apart(bytesOf("volume"), 20_000_000)).toBeLessThan(0.01);
      expect(bytesOf("image")).toBeGreaterThan(90_000_000);
      expect(usage.entries[0]).toMatchObject({ kind: "image", inUse: false });
      const sizes = usage.entries.map(({ sizeBytes }) => sizeBytes ?? -1);
      expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
      // The container's start was seen on the engine's events, or learnt from the container itself.
      const busy = usage.entries.find(({ inUse, kind }) => kind === "image" && inUse === true);
      expect(Date.now() - (busy?.lastUsedAtMs ?? 0)).toBeLessThan(120_000);
      expect(usage.journal).toMatchObject({ watching: true, durable: true, problem: null });
      const shown = await runCli(["usage"], env);
      expect(shown.stdout).toMatch(/^volume +20\.\d MB +1$/mu);

      // The core only observes; a person may act all the same. Only b can be had again.
      const plan = await client.dockerEvictPlan({ policy: "conservative", wantBytes: 50_000_000 });
      expect(
        plan.entries
          .map(({ references }) => references)
          .flat()
          .sort(),
      ).toEqual([name, "mine/b:1"].sort());
      expect(plan.protectedEntries.find((each) => each.name.includes("mine/a:1"))?.rule).toBe(
        "irrecoverable",
      );
      const other = await client.dockerEvictPlan({ policy: "standard", wantBytes: 2 ** 40 });
      expect(other.entries.length).toBeGreaterThan(plan.entries.length);
      expect(other.shortfallBytes).toBeGreaterThan(0);

      const before = await lab().df();
      const applied = await runCli(["apply", plan.planId, "--json"], env);
      expect(applied.code).toBe(0);
      const run = JSON.parse(applied.stdout) as Awaited<ReturnType<typeof client.dockerEvictApply>>;
      expect(run).toMatchObject({ state: "finished", planId: plan.planId, note: null });
      const after = await lab().df();
      expect(apart(run.measuredBytes, before.usedBytes - after.usedBytes)).toBeLessThan(0.01);
      const left = (await lab().docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])).stdout;
      expect(left).toContain("mine/a:1");
      expect(left).not.toContain("mine/b:1");

      // Once only, and no plan that never was.
      const again = await runCli(["apply", plan.planId], env);
      expect(again.code).toBe(1);
      expect(again.stderr).toMatch(/"kind":"planUnknown"/u);

      const undo = await runCli(["undo", run.evictionId], env);
      expect(undo.stdout).toMatch(/1 of 1 came back/u);
      expect(undo.code).toBe(0);
      const back = (await lab().docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])).stdout;
      expect(back).toContain("mine/b:1");
      expect(back).toContain(name);
      const history = await runCli(["history"], env);
      expect(history.stdout).toMatch(/restored .*mine\/b:1/u);
      expect(history.stdout).toMatch(/docker pull \S+@sha256:/u);
    },
  );

  it("remembers the ledger across kill -9", { timeout: 120_000 }, async () => {
    const home = await mkdtemp(join(tmpdir(), "continuum-e2e-"));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    const args = ["--docker-host", lab().dockerHost, "--min-age", "0s"];
    await lab().importImage({ name: "gone/soon:1", bytes: 5_000_000 });
    let evictionId = "";
    {
      await using core = await startCore({ args, home });
      await using client = connectCore({ url: core.url });
      const plan = await client.dockerEvictPlan({ policy: "standard", wantBytes: 2 ** 40 });
      ({ evictionId } = await client.dockerEvictApply({ planId: plan.planId, waitMs: 30_000 }));
      await core.end("SIGKILL");
    }
    await using core = await startCore({ args, home });
    await using client = connectCore({ url: core.url });
    const { records } = await client.dockerEvictHistory({ evictionId });
    expect(records.some(({ name, outcome }) => name.includes("gone/soon:1") && outcome === "deleted")).toBe(
      true,
    );
    const undone = await client.dockerEvictUndo({ evictionId, waitMs: 30_000 });
    expect(undone.outcomes.find(({ name }) => name.includes("gone/soon:1"))).toMatchObject({
      outcome: "impossible",
    });
  });
});

describeWithLab("a core that is killed in the middle of an eviction", { sizeBytes: 512 * 2 ** 20 }, (lab) => {
  it("leaves no image without its names: the next one gives them back", { timeout: 120_000 }, async () => {
    const home = await mkdtemp(join(tmpdir(), "continuum-e2e-"));
    onTestFinished(() => rm(home, { recursive: true, force: true }));
    await lab().fillTo(0.9, { imageBytes: 30_000_000 });
    const args = ["--docker-host", lab().dockerHost, "--tick-ms", "500", "--min-age", "0s"];
    const names = async (): Promise<readonly string[]> =>
      (await lab().docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"])).stdout.split("\n");
    const isHidden = (name: string): boolean => name.includes(":continuum-evicting-");
    {
      await using core = await startCore({ args: [...args, "--evict", "standard"], home });
      await until(
        async () => ((await names()).filter(isHidden).length > 1 ? true : undefined),
        60_000,
        () => `no image ever lost its names\n${core.stderr()}`,
      );
      await core.end("SIGKILL");
    }
    const left = await names();
    const hidden = left.filter(isHidden);
    expect(hidden.length).toBeGreaterThan(0);
    await using core = await startCore({ args, home });
    const back = await until(
      async () => {
        const now = await names();
        return now.some(isHidden) ? undefined : now;
      },
      60_000,
      () => `the names aren't back\n${core.stderr()}`,
    );
    // Each that was hidden is there again under its own name.
    for (const name of hidden) expect(back).toContain(name.replace(/:continuum-evicting-.*/u, ":fill"));
  });
});
