import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { DEFAULT_IPC_LIMITS } from "./ipc-limits.js";

/** The rows of the core's table: name -> unit and default. */
async function readRows(): Promise<Map<string, readonly [unit: string, defaultText: string]>> {
  const text = await readFile(new URL("../../../../docs/ipc-limits.md", import.meta.url), "utf8");
  const table = /## The core\n([\s\S]*?)\n## The client/u.exec(text)?.[1] ?? "";
  const rows = table.matchAll(/^\| `(\w+)` *\| *(\w+) *\| *([\d,]+) *\|/gmu);
  return new Map([...rows].map(([, name = "", unit = "", value = ""]) => [name, [unit, value]]));
}

function unitOf(name: string): string {
  if (name.endsWith("Ms")) return "ms";
  return name.endsWith("Bytes") ? "bytes" : "count";
}

describe("the limits of the IPC", () => {
  it("are documented with unit and default, each of them, and no other", async () => {
    const limits = Object.entries(DEFAULT_IPC_LIMITS).map(([name, value]) => [
      name,
      [unitOf(name), (value as number).toLocaleString("en-US")],
    ]);
    expect(Object.fromEntries(await readRows())).toEqual(Object.fromEntries(limits));
  });
});
