import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it, vi } from "vitest";

const EXAMPLES: readonly (readonly [string, () => Promise<unknown>])[] = [
  ["readme-example.ts", () => import("./readme-example.js")],
  ["readme-course-example.ts", () => import("./readme-course-example.js")],
];

it.each(EXAMPLES.map(([file, run], i) => [file, run, i] as const))(
  "the README's example %s is the one that runs, and prints what the README says",
  async (file, run, i) => {
    const readme = await readFile(join(import.meta.dirname, "../README.md"), "utf8");
    const blocks = [...readme.matchAll(/```ts\n([^]*?)```\n\n```text\n([^]*?)```/gu)];
    expect(blocks).toHaveLength(EXAMPLES.length);
    const [, code = "", printed = ""] = blocks[i] ?? [];
    expect(code).toBe(await readFile(join(import.meta.dirname, file), "utf8"));
    const log = vi.spyOn(console, "log").mockReturnValue();
    try {
      await run();
      expect(log.mock.calls.map((args) => args.map(String).join(" ")).join("\n")).toBe(printed.trimEnd());
    } finally {
      log.mockRestore();
    }
  },
);
