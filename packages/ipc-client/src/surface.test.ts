import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { DEFAULT_CLIENT_OPTIONS } from "./core-client-options.js";
import * as surface from "./index.js";

describe("the public surface", () => {
  it("is connecting, the client and its errors, and nothing else", () => {
    expect(Object.keys(surface).sort()).toEqual([
      "CommandError",
      "ConnectionError",
      "EndpointError",
      "RustCoreIPCClient",
      "connectCore",
    ]);
  });
});

/** The options of an interface in a source file, each with what its docstring says. */
async function readOptions(file: string, name: string): Promise<Map<string, string>> {
  const source = await readFile(new URL(file, import.meta.url), "utf8");
  const body = new RegExp(`interface ${name}[^{]*\\{([\\s\\S]*?)\\n\\}`, "u").exec(source)?.[1] ?? "";
  const members = body.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s+readonly (\w+)\?:/gu);
  const options = new Map([...members].map(([, docs = "", option = ""]) => [option, docs]));
  // None is without a docstring.
  expect([...options.keys()]).toEqual([...body.matchAll(/readonly (\w+)\?:/gu)].map(([, option]) => option));
  return options;
}

/** The rows of all option tables of a Markdown file: option, unit, default. */
async function readRows(file: string): Promise<Map<string, { unit: string; defaultText: string }>> {
  const text = await readFile(new URL(file, import.meta.url), "utf8");
  const rows = text.matchAll(/^\| `(\w+)` *\| *([^|]*?) *\| *([^|]*?) *\|/gmu);
  return new Map(
    [...rows].map(([, option = "", unit = "", text = ""]) => [option, { unit, defaultText: text }]),
  );
}

/** The unit that an option's name says, as the tables spell it. */
function unitOf(option: string): string {
  if (option.endsWith("Ms")) return "ms";
  if (option.endsWith("Bytes")) return "bytes";
  return option.startsWith("max") || option === "capacity" ? "count" : "";
}

describe("every option", () => {
  it.each([
    ["./core-client-options.ts", "CoreClientOptions", 11],
    ["./command-caller.ts", "CallOptions", 3],
    ["./command-caller.ts", "StreamOptions", 1],
    ["./event-stream.ts", "EventStreamOptions", 3],
    ["./pool/serve-pool.ts", "ServePoolOptions", 4],
  ])("of %s, %s, is in the README with its unit and default", async (file, name, count) => {
    const options = await readOptions(file, name);
    const rows = await readRows("../README.md");
    expect(options.size).toBe(count);
    for (const option of options.keys()) {
      const row = rows.get(option);
      expect(row?.defaultText, option).toBeTruthy();
      if (option !== "policy") expect(row?.unit, option).toBe(unitOf(option));
    }
  });

  it("has the default that the README and its docstring say", async () => {
    const options = await readOptions("./core-client-options.ts", "CoreClientOptions");
    const rows = await readRows("../README.md");
    const spoken = { lowLatency: "Off", maxRequestBytes: "1 MiB", maxFrameBytes: "1 GiB" };
    for (const [option, value] of Object.entries(DEFAULT_CLIENT_OPTIONS)) {
      const text = typeof value === "number" ? value.toLocaleString("en-US") : `\`${String(value)}\``;
      expect(rows.get(option)?.defaultText).toBe(text);
      const said = option in spoken ? spoken[option as keyof typeof spoken] : text;
      expect(options.get(option), option).toContain(said);
    }
  });
});
