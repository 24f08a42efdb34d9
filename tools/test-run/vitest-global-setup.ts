import { rmSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { TestProject } from "vitest/node";
import {
  destroyRunDirectory,
  findLeftovers,
  makeRunDirectory,
  type RunDirectory,
  sweepStaleRuns,
} from "./run-directory.js";

/** What a test has told to end, and didn't wait for, has so long to be gone. */
const GRACE_MS = 5_000;

/**
 * Gives a run of tests a temporary directory of its own: `TMPDIR`, so `os.tmpdir()` of every test and of every
 * process that inherits it, and `CONTINUUM_TEST_MEMORY_DIR`. At the end it goes with all that is left in it, also
 * at Ctrl-C and after failed tests; after a kill -9 by the next run. A run that passed and left something fails.
 */
export function setup(project: TestProject): () => Promise<void> {
  for (const left of sweepStaleRuns()) console.error(`tests: still there of a killed run: ${left}`);
  const run = makeRunDirectory();
  process.env["TMPDIR"] = run.dir;
  process.env["CONTINUUM_TEST_MEMORY_DIR"] = run.memoryDir;
  const onExit = (): void => {
    destroyRunDirectory(run);
    // A signal ends vitest before it removes its own.
    rmSync(project.tmpDir, { recursive: true, force: true });
  };
  process.once("exit", onExit);

  return async () => {
    process.off("exit", onExit);
    const { state } = project.vitest;
    const isGreen = state.getCountOfFailedTests() === 0 && state.getUnhandledErrors().length === 0;
    const complaints = isGreen
      ? (await waitForLeftovers(run)).map((each) => `left behind by a test: ${each}`)
      : [];
    const left = destroyRunDirectory(run, ({ isDescendant }) => isDescendant);
    complaints.push(...left.map((each) => `could not be removed: ${each}`));
    for (const complaint of complaints) console.error(`tests: ${complaint}`);
    if (complaints.length > 0) process.exitCode = 1;
  };
}

/** What is left for good. */
async function waitForLeftovers(run: RunDirectory): Promise<string[]> {
  const untilMs = performance.now() + GRACE_MS;
  for (;;) {
    const left = findLeftovers(run);
    if (left.length === 0 || performance.now() > untilMs) return left;
    await delay(100);
  }
}
