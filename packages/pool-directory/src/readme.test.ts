import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { addRevision, tempDirectory } from "./testing/cache-fixtures.js";

it("the README's example runs as it stands", { timeout: 60_000 }, async () => {
  const packageDir = join(import.meta.dirname, "..");
  const readme = await readFile(join(packageDir, "README.md"), "utf8");
  const example = /```ts\n([\s\S]*?)```/u.exec(readme)?.[1] ?? "";
  await using hub = await tempDirectory();
  await addRevision(hub.path, "models--org--bert", "abc", { "model.bin": ["b1", 100, 30] });
  await addRevision(hub.path, "models--org--base", "def", { "model.bin": ["b1", 100, 30] });
  // Within the package, so that its names resolve as a reader's would.
  const dir = await mkdtemp(join(packageDir, "out-tsc-readme-"));
  try {
    const file = join(dir, "example.mts");
    await writeFile(file, example);
    const args = ["--conditions=@continuum/source", "--import", "tsx", file];
    const env = { ...process.env, HF_HUB_CACHE: hub.path, FORCE_COLOR: "0" };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: packageDir, env });
    expect(stdout).toContain("huggingface 1 [");
    expect(stdout).toContain("models--org--bert/snapshots/abc: last used 30 d ago");
    expect(stdout).not.toContain("models--org--base/snapshots");
  } finally {
    await rm(dir, { recursive: true });
  }
});
