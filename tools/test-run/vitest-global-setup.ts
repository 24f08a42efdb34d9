import { rmSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { destroyRunDirectory, findLeftovers, makeRunDirectory, sweepStaleRuns } from "./run-directory.js";

/**
 * Gives a run of tests a temporary directory of its own: `TMPDIR`, so `os.tmpdir()` of every test and of every
 * process that inherits it, and `CONTINUUM_TEST_MEMORY_DIR`. At the end it goes with all that is left in it, also
 * at Ctrl-C and after failed tests; after a kill -9 by the next run. A run that passed and left something fails.
 */
export function setup(project: TestProject): () => void {
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

  return () => {
    process.off("exit", onExit);
    const { state } = project.vitest;
    const isGreen = state.getCountOfFailedTests() === 0 && state.getUnhandledErrors().length === 0;
    const complaints = isGreen ? findLeftovers(run).map((each) => `left behind by a test: ${each}`) : [];
    const left = destroyRunDirectory(run, ({ isDescendant }) => isDescendant);
    complaints.push(...left.map((each) => `could not be removed: ${each}`));
    for (const complaint of complaints) console.error(`tests: ${complaint}`);
    if (complaints.length > 0) process.exitCode = 1;
  };
}
