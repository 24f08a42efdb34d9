import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

describe("README", () => {
  it("has an example that runs, with Docker or without", async () => {
    const packageDir = join(import.meta.dirname, "..");
    const readme = await readFile(join(packageDir, "README.md"), "utf8");
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";
    // Within the package, so that its names resolve as a reader's would.
    const dir = await mkdtemp(join(packageDir, "out-tsc-readme-"));
    try {
      const file = join(dir, "example.mts");
      await writeFile(file, example);
      const args = ["--conditions=@continuum/source", "--import", "tsx", file];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: packageDir });
      expect(stdout).toMatch(/^(\d+ % used|not detected: (notFound|unsupported))\n$/);
    } finally {
      await rm(dir, { recursive: true });
    }
  }, 30_000);
});
