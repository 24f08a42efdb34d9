import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { existingFiles } from "./compare-files.js";
import { describeDrift, runGenerate } from "./run-generate.js";

const original = join(import.meta.dirname, "../..");

describe("generate, in a copy of the workspace", () => {
  let workspace: string;
  const edit = async (path: string, change: (text: string) => string): Promise<void> => {
    const file = join(workspace, path);
    await writeFile(file, change(await readFile(file, "utf8")));
  };
  const check = async (): Promise<readonly string[]> =>
    (await runGenerate(workspace, { check: true })).drift.map(({ kind, path }) => `${kind} ${path}`);

  beforeEach(async () => {
    workspace = await mkdtemp(join(tmpdir(), "continuum-generate-"));
    await cp(join(original, "schemas"), join(workspace, "schemas"), { recursive: true });
    await cp(join(original, "docs"), join(workspace, "docs"), { recursive: true });
    for (const name of ["wire-types", "ipc-client", "server-commands"]) {
      await cp(join(original, "packages", name, "src"), join(workspace, "packages", name, "src"), {
        recursive: true,
      });
    }
  });
  afterEach(() => rm(workspace, { recursive: true, force: true }));

  it("the committed files are as generated", async () => {
    expect(await check()).toEqual([]);
  });

  it("the same bytes again, from nothing", async () => {
    const before = await existingFiles(workspace);
    for (const path of before) await rm(join(workspace, path));
    await runGenerate(workspace, { check: false });
    expect(await existingFiles(workspace)).toEqual(before);
    for (const path of before) {
      expect(await readFile(join(workspace, path), "utf8")).toBe(
        await readFile(join(original, path), "utf8"),
      );
    }
  });

  it("names a hand edit with its line, and mends it", async () => {
    const path = "packages/wire-types/src/gen/resources/DockerTierStats.ts";
    await edit(path, (text) => text.replace("usedBytes: number", "usedBytes: bigint"));
    const { drift } = await runGenerate(workspace, { check: true });
    expect(drift).toMatchObject([
      { kind: "differs", path, found: expect.stringContaining("bigint") as string },
    ]);
    expect(drift.map(describeDrift).join()).toContain(path);
    await runGenerate(workspace, { check: false });
    expect(await check()).toEqual([]);
  });

  it("names what a changed schema makes stale", async () => {
    await edit("schemas/paging/PoolStats.json", (text) => text.replaceAll("inflightCount", "loadingCount"));
    expect(await check()).toEqual([
      "differs packages/server-commands/src/gen/system-pressure-broker-extension-server-command.test.ts",
      "differs packages/server-commands/src/gen/system-pressure-broker-state-server-command.test.ts",
      "differs packages/wire-types/src/gen/paging/PoolStats.ts",
      "differs packages/wire-types/src/gen/validators/PoolStats.ts",
    ]);
  });

  it("names a missing file and an orphan, and mends both", async () => {
    await rm(join(workspace, "packages/ipc-client/src/gen/system-mixin.ts"));
    await writeFile(
      join(workspace, "packages/server-commands/src/gen/old-server-command.ts"),
      "export {};\n",
    );
    expect(await check()).toEqual([
      "missing packages/ipc-client/src/gen/system-mixin.ts",
      "orphan packages/server-commands/src/gen/old-server-command.ts",
    ]);
    await runGenerate(workspace, { check: false });
    expect(await check()).toEqual([]);
  });

  it("changes all files or none: one that can't be written leaves every other as it was", async () => {
    await edit("schemas/paging/PoolStats.json", (text) => text.replaceAll("inflightCount", "loadingCount"));
    const blocked = join(workspace, "packages/wire-types/src/gen/validators/PoolStats.ts");
    await rm(blocked);
    await mkdir(join(blocked, "in-the-way"), { recursive: true });
    const before = await readFile(join(workspace, "packages/wire-types/src/gen/paging/PoolStats.ts"), "utf8");
    await expect(runGenerate(workspace, { check: false })).rejects.toThrow();
    expect(await readFile(join(workspace, "packages/wire-types/src/gen/paging/PoolStats.ts"), "utf8")).toBe(
      before,
    );
    const left = await readdir(join(workspace, "packages/wire-types/src/gen/paging"));
    expect(left.filter((name) => name.endsWith(".new"))).toEqual([]);
  });

  it("says which new type the package's index doesn't list", async () => {
    await writeFile(
      join(workspace, "schemas/paging/Fresh.json"),
      JSON.stringify({
        title: "Fresh",
        description: "New.",
        type: "object",
        properties: {},
        required: [],
        additionalProperties: false,
      }),
    );
    expect((await runGenerate(workspace, { check: false })).unlisted).toEqual(["Fresh"]);
  });

  it.each([
    [
      "schemas/paging/PoolView.json",
      (t: string) => t.replace("./PoolStats.json", "./PoolStat.json"),
      /PoolView\.json: .*PoolStat.*did you mean PoolStats/,
    ],
    [
      "schemas/paging/PoolView.json",
      (t: string) => t.replace('"PoolView"', '"Pool"'),
      /its title must be PoolView/,
    ],
    [
      "schemas/paging/PoolStats.json",
      (t: string) => t.replace('"properties": {', '"properties": { "view": { "$ref": "./PoolView.json" },'),
      /in a circle: .*PoolStats -> PoolView -> PoolStats|in a circle: PoolView -> PoolStats -> PoolView/,
    ],
    ["schemas/paging/PoolView.json", (t: string) => t.slice(0, -5), /PoolView\.json: /],
    [
      "schemas/commands/system-docker-tier-stats.json",
      (t: string) => t.replace("DockerTierStats", "DockerTierStat"),
      /docker-tier-stats\.json:\d+:\d+: got "DockerTierStat", expected .*; did you mean DockerTierStats\?/,
    ],
    [
      "schemas/commands/health-check.json",
      (t: string) => t.replace('"boolean"', '"boolan"'),
      /health-check\.json:\d+:\d+: got "boolan", expected .*; did you mean boolean\?/,
    ],
    [
      "schemas/commands/health-check.json",
      (t: string) => t.replace('"ai-safe"', '"anyone"').replace('"public"', '"anyone"'),
      /health-check\.json:\d+:\d+: got "anyone", expected "public" or "ai-safe" or "admin-only"/,
    ],
    [
      "schemas/commands/health-check.json",
      (t: string) => t.replace('"health-check"', '"system/resources"'),
      /exists|stands in|already/,
    ],
  ])("a mistake in %s changes nothing and says what it is (%#)", async (path, change, message) => {
    await edit("packages/wire-types/src/gen/resources/DockerTierStats.ts", (text) => `${text}// edited\n`);
    await edit(path, change);
    await expect(runGenerate(workspace, { check: false })).rejects.toThrow(message);
    const edited = await readFile(
      join(workspace, "packages/wire-types/src/gen/resources/DockerTierStats.ts"),
      "utf8",
    );
    expect(edited).toMatch(/\/\/ edited\n$/);
  });

  it("takes both ages of spec", async () => {
    await writeFile(
      join(workspace, "schemas/commands/old-style.json"),
      JSON.stringify({
        name: "old/style",
        description: "An older spec.",
        params: [
          { name: "must", type: "string", optional: false, description: "" },
          { name: "may", type: "number[]", optional: true, description: "" },
        ],
        results: [{ name: "view", type: "PoolView", description: "" }],
        examples: [
          "./jtag old/style --must=x",
          { description: "d", command: "./jtag old/style", expectedResult: "{ }" },
          { description: "p", params: { must: "it's" } },
        ],
        accessLevel: "ai-safe",
      }),
    );
    await runGenerate(workspace, { check: false });
    const text = await readFile(join(workspace, "packages/wire-types/src/gen/commands/old-style.ts"), "utf8");
    expect(text).toContain("must: string, may?: Array<number> | undefined, ");
    expect(text).toContain("export type OldStyleReply = PoolView;");
    const table = await readFile(
      join(workspace, "packages/wire-types/src/gen/commands/command-table.ts"),
      "utf8",
    );
    const all = table + text;
    expect(all).toContain(JSON.stringify(`continuum call old/style --params '{"must":"it'\\''s"}'`));
    expect(await check()).toEqual([]);
  });
});
