import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { incompressibleBytes, tarStream } from "./image-stream.js";
import { runTool } from "./run-tool.js";

const MIB = 2 ** 20;
const collect = (bytes: number, seed: string) => Buffer.concat([...incompressibleBytes(bytes, seed)]);

test("exactly as many bytes as asked for, the same for the same seed, others for another", () => {
  for (const bytes of [0, 1, MIB - 1, MIB, 2 * MIB + 7]) expect(collect(bytes, "a").length).toBe(bytes);
  expect(collect(2 * MIB, "a").equals(collect(2 * MIB, "a"))).toBe(true);
  expect(collect(2 * MIB, "a").equals(collect(2 * MIB, "b"))).toBe(false);
});

test("they neither compress nor repeat from chunk to chunk", () => {
  const bytes = collect(2 * MIB, "a");
  expect(gzipSync(bytes).length).toBeGreaterThan(bytes.length);
  expect(bytes.subarray(0, MIB).equals(bytes.subarray(MIB))).toBe(false);
});

test("tar unpacks the archive with the content and modes that went in", async () => {
  const dir = mkdtempSync(join(tmpdir(), "image-stream-test-"));
  try {
    const input = tarStream([
      { path: "bin/tool", mode: 0o755, bytes: 3, content: [Buffer.from("abc")] },
      { path: "payload", mode: 0o644, bytes: MIB + 5, content: incompressibleBytes(MIB + 5, "seed") },
    ]);
    await runTool("tar", ["-x", "-C", dir], { input });
    expect(readFileSync(join(dir, "bin/tool"), "utf8")).toBe("abc");
    expect(statSync(join(dir, "bin/tool")).mode & 0o777).toBe(0o755);
    const sha = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
    expect(sha(readFileSync(join(dir, "payload")))).toBe(sha(collect(MIB + 5, "seed")));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
