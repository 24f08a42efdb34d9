import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { runInProcess } from "./testing/run-in-process.js";
import { FULL_CORE, startCore } from "./testing/scripted-core.js";

it("the README's transcript is what the CLI prints", async () => {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  await using core = await startCore(FULL_CORE);
  const env = { CONTINUUM_CORE_URL: core.path };
  const status = await runInProcess(["status"], { env });
  expect(readme).toContain(`$ continuum status\n${status.stdout}`);
  const trend = await runInProcess(["trend", "docker", "--window", "2h"], { env });
  expect(readme).toContain(`$ continuum trend docker --window 2h\n${trend.stdout}`);
  const call = await runInProcess(["call", "system/docker-tier-stats"], { env });
  expect(readme).toContain(`$ continuum call system/docker-tier-stats\n${call.stdout}`);
});
