import { connectCore } from "@continuum/ipc-client";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { runCli } from "./support/cli-process.js";
import { startCore, until } from "./support/core-process.js";
import { describeWithLab } from "./support/lab-suite.js";

const FILE_BYTES = 1_500_000;
const EVERY_MS = 100;

describeWithLab("a disk that fills at a steady rate", {}, (lab) => {
  it("is full when the forecast said so, within 15 %", { timeout: 180_000 }, async () => {
    await lab().fillTo(0.4, { imageBytes: 100_000_000 });
    const dir = join(lab().mountPoint, "fill");
    await mkdir(dir);
    await using core = await startCore({ args: ["--docker-host", lab().dockerHost, "--tick-ms", "500"] });
    await using client = connectCore({ url: core.url });
    expect(await forecastOf(client)).toMatchObject({ timeToFullMs: null });

    const stop = new AbortController();
    const startedMs = Date.now();
    const { capacityBytes, usedBytes } = await lab().df();
    const filling = fill(dir, stop.signal);
    const { timeToFullMs, fullAtMs, atMs } = await until(
      async () => {
        const { timeToFullMs, fullAtMs, atMs } = await forecastOf(client);
        return timeToFullMs === null || fullAtMs === null ? undefined : { timeToFullMs, fullAtMs, atMs };
      },
      60_000,
      () => `no forecast\n${core.stdout()}\n${core.stderr()}`,
    );
    // What the CLI makes of it, while it fills.
    const env = { CONTINUUM_CORE_URL: core.url };
    await until(
      async () =>
        /^docker .* full in \d+ s$/mu.test((await runCli(["status"], env)).stdout) ? true : undefined,
      15_000,
      () => "continuum status doesn't say it",
    );
    const trend = await runCli(["trend", "docker", "--window", "1m"], env);
    // By what df says of the whole fill, up to now.
    const nowMs = Date.now();
    const now = await lab().df();
    stop.abort();
    await filling;
    const perMs = (now.usedBytes - usedBytes) / (nowMs - startedMs);
    const trueFullAtMs = nowMs + (capacityBytes - now.usedBytes) / perMs;
    console.log(
      `forecast after ${atMs - startedMs} ms: full in ${timeToFullMs} ms; by df in ${Math.round(trueFullAtMs - atMs)} ms`,
    );
    expect(Math.abs(fullAtMs - trueFullAtMs) / (trueFullAtMs - atMs)).toBeLessThan(0.15);
    expect(trend.stdout).toMatch(/^docker: \d+ % -> \d+ % in \d+ s; lowest/mu);
    expect(trend.stdout).toMatch(/╭/u);

    // And it isn't said any more once the fill has ended.
    await until(
      async () => ((await forecastOf(client)).timeToFullMs === null ? true : undefined),
      30_000,
      () => "the forecast stays",
    );
  });
});

type Client = ReturnType<typeof connectCore>;

async function forecastOf(client: Client) {
  const { forecasts } = await client.pressureBrokerExtension();
  const docker = forecasts.find(({ name }) => name === "docker");
  if (docker === undefined) throw new Error("the core has no Docker pool");
  return docker;
}

/** A file every so often, by the clock: a write that was late is made up for. */
async function fill(dir: string, signal: AbortSignal): Promise<void> {
  const content = Buffer.alloc(FILE_BYTES, 1);
  const startedMs = performance.now();
  for (let i = 1; !signal.aborted; i += 1) {
    await writeFile(join(dir, `${i}`), content);
    await sleep(Math.max(0, startedMs + i * EVERY_MS - performance.now()));
  }
}
