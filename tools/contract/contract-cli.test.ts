import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../..");

describe("npm run contract", { timeout: 30_000 }, () => {
  let workspace: string;
  beforeEach(async () => {
    workspace = await mkdtemp(join(tmpdir(), "continuum-contract-"));
    await cp(join(root, "schemas"), join(workspace, "schemas"), { recursive: true });
  });
  afterEach(() => rm(workspace, { recursive: true, force: true }));

  const contract = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    new Promise((resolve, reject) => {
      const argv = ["--import", "tsx", join(root, "tools/contract.ts"), "--workspace", workspace, ...args];
      execFile(
        process.execPath,
        argv,
        { cwd: root, env: { ...process.env, NODE_OPTIONS: "" } },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : error.code;
          if (typeof code === "number") resolve({ code, stdout, stderr });
          else reject(error ?? new Error("no exit code"));
        },
      );
    });
  const edit = async (path: string, change: (text: string) => string): Promise<void> => {
    const file = join(workspace, path);
    await writeFile(file, change(await readFile(file, "utf8")));
  };

  it("check passes for the committed contract", async () => {
    expect(await contract("check")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/0 breaking, 0 additive/) as string,
    });
  });

  it("check fails on a breaking change, accept refuses it, and a raised version lets it through", async () => {
    await edit("schemas/resources/DockerTierStats.json", (text) =>
      text.replaceAll("usedBytes", "takenBytes"),
    );
    const failed = await contract("check");
    expect(failed.code).toBe(1);
    expect(failed.stdout).toMatch(/breaking +fieldRemoved +DockerTierStats\.usedBytes/);
    expect(failed.stderr).toContain("raise the version in schemas/contract.json to 3");
    expect((await contract("accept")).code).toBe(1);
    await edit("schemas/contract.json", (text) => text.replace("2", "3"));
    expect((await contract("check")).code).toBe(0);
    expect((await contract("accept")).code).toBe(0);
    expect(await contract("check")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/0 breaking, 0 additive/) as string,
    });
  });

  it("check passes on an additive change and says that the lock lacks it", async () => {
    await edit("schemas/commands/system-resources.json", (text) => text.replace('"ai-safe"', '"public"'));
    const { code, stdout } = await contract("check");
    expect(code).toBe(0);
    expect(stdout).toMatch(/additive +accessLoosened +system\/resources/);
    expect(stdout).toContain("npm run contract -- accept");
  });

  it("compare names a difference with both sides, and exits 1", async () => {
    const exported = join(workspace, "bindings/deep");
    await mkdir(exported, { recursive: true });
    await writeFile(
      join(exported, "stats.ts"),
      "export type DockerTierStats = { capacityBytes: bigint, usedBytes: string, pressure: number, detected: boolean, };\n",
    );
    const different = await contract("compare", join(workspace, "bindings"));
    expect(different.code).toBe(1);
    expect(different.stdout).toMatch(/DockerTierStats +different +usedBytes +number +string/);
    await writeFile(
      join(exported, "stats.ts"),
      "export type DockerTierStats = { capacityBytes: bigint, usedBytes: bigint, pressure: number, detected: boolean, };\n",
    );
    const explained = await contract("compare", join(workspace, "bindings"));
    expect(explained).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/DockerTierStats +explained +bigint for a number, doc text/) as string,
    });
    expect(explained.stdout).toMatch(/BrokerSnapshot +only here/);
  });

  it("says what is wrong with a folder that isn't there, or a lock that can't be read", async () => {
    expect(await contract("compare", join(workspace, "nowhere"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is no folder") as string,
    });
    await writeFile(join(workspace, "schemas/contract.lock.json"), "{");
    expect(await contract("check")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("contract.lock.json") as string,
    });
  });
});
