import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type TestTotals, toTestTotals, type VitestReport } from "./test-totals.js";

/** Where every project's vitest writes its JSON report (see `vitest.shared.ts`). */
export const testResultsDir = join(import.meta.dirname, "..", "test-results", "@continuum");

/** One project's name and counts, per report that the last test run left; an unreadable report counts as a failure. */
export async function readTestTotals(): Promise<
  readonly { readonly project: string; readonly totals: TestTotals }[]
> {
  const files = await readdir(testResultsDir).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  return Promise.all(
    files.sort().map(async (file) => ({
      project: file.replace(/\.json$/, ""),
      totals: toTestTotals(await readReport(join(testResultsDir, file))),
    })),
  );
}

async function readReport(path: string): Promise<VitestReport | null> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as VitestReport;
  } catch (error) {
    console.error(`test: ${path} can't be read: ${String(error)}`);
    return null;
  }
}
