import { ManualClock } from "@continuum/broker-core/testing";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { build } from "tsup";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openState } from "./open-state.js";
import type { Resolution } from "./record-store.js";

const log = pino({ level: "silent" });
const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const KILLS = isLong ? Number(process.env["CONTINUUM_KILLS"] ?? 3_000) : 12;
const packageDir = join(import.meta.dirname, "../..");

/** Starts the writer, kills it some ms after it has written first, and gives what it acknowledged last. */
async function writeAndKill(
  script: string,
  directory: string,
  afterMs: number,
): Promise<{ readonly count: number; readonly notes: number }> {
  const child = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.on("data", (chunk: Buffer) => {
    if (output === "") setTimeout(() => child.kill("SIGKILL"), afterMs);
    output += chunk.toString();
  });
  const [, signal] = (await once(child, "close")) as [number | null, string | null];
  if (signal !== "SIGKILL") throw new Error(`the writer ended by itself: ${errors}`);
  // A line that is whole was acknowledged.
  const last = output.slice(0, output.lastIndexOf("\n")).split("\n").at(-1) ?? "";
  const [count, notes] = last.split(" ").map(Number);
  return { count: count ?? NaN, notes: notes ?? NaN };
}

describe("a process that is killed while it writes", () => {
  let built: string;
  let directory: string;
  beforeAll(async () => {
    // Within the package: its dependencies are found from there.
    const cache = join(packageDir, "node_modules/.cache");
    await mkdir(cache, { recursive: true });
    built = await mkdtemp(join(cache, "kill-"));
    directory = await mkdtemp(join(tmpdir(), "continuum-kill-"));
    await build({
      entry: [join(packageDir, "src/testing/recording-child.ts")],
      outDir: built,
      format: ["esm"],
      platform: "node",
      noExternal: [/^@continuum\//u],
      esbuildOptions: (options) => {
        options.conditions = ["@continuum/source"];
      },
      config: false,
      silent: true,
      dts: false,
    });
  }, 60_000);
  afterAll(async () => {
    for (const each of [built, directory]) await rm(each, { recursive: true, force: true });
  });

  it(
    `has everything that it acknowledged, all of one moment, undamaged: ${KILLS} kills`,
    async () => {
      const script = join(built, "recording-child.js");
      let before = 0;
      let between = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const { count, notes } = await writeAndKill(script, directory, Math.random() * 60);
        const state = openState({ directory, log, clock: new ManualClock() });
        expect({ notes, own: state.notes, kill }).toEqual({ notes: 0, own: [], kill });
        const { count: kept } = state.documents("test").get("counters") as { count: number };
        // One more may have been written than there was time to say.
        expect(kept - count).toBeGreaterThanOrEqual(0);
        expect(kept - count).toBeLessThanOrEqual(1);
        if (kept > count) between += 1;
        expect(kept).toBeGreaterThan(before);
        const pools = ["pool-0", "pool-1", "pool-2"];
        const series = (pool: string, resolution: Resolution) =>
          state.series({ pool, resolution, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, limit: 10_000 });
        const hours = pools.flatMap((pool) => series(pool, "hour").map(({ samples }) => samples));
        expect(hours.reduce((sum, each) => sum + each, 0)).toBe(kept);
        for (const [index, pool] of pools.entries()) {
          const raw = series(pool, "raw").map(({ usedBytes }) => usedBytes);
          const newest = kept - 1 - ((kept - 1 - index + 3) % 3);
          expect(raw.at(-1)).toBe(newest < 0 ? undefined : newest);
          // No hole, none twice.
          expect(raw.every((each, i) => i === 0 || each === (raw[i - 1] ?? NaN) + 3)).toBe(true);
        }
        // The ledger is written right behind: its last line may be the one that was being said.
        const [newestLine] = state.page({ limit: 1 });
        expect(Number(newestLine?.id.slice("line-".length)) + 1).toBeGreaterThanOrEqual(count);
        expect(Number(newestLine?.id.slice("line-".length)) + 1).toBeLessThanOrEqual(kept);
        state.close();
        before = kept;
      }
      console.log(
        `${KILLS} kills: ${before} readings and lines kept, ${between} kills between write and answer`,
      );
    },
    isLong ? 3_600_000 : 60_000,
  );
});
