import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "node:util";
import { expect, it, vi } from "vitest";

it("the README's example is the one that runs, and prints what the README says", async () => {
  const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
  const [, code = "", printed = ""] = /```ts\n([^]*?)```\n\n```text\n([^]*?)```/.exec(readme) ?? [];
  expect(code).toBe(await readFile(join(import.meta.dirname, "readme-example.ts"), "utf8"));
  const log = vi.spyOn(console, "log").mockReturnValue();
  try {
    await import("./readme-example.js");
    expect(log.mock.calls.map((args) => format(...args)).join("\n")).toBe(printed.trimEnd());
  } finally {
    log.mockRestore();
  }
});
