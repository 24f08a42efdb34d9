import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { findMounts } from "./destroy-lab.js";
import {
  createProtectedScene,
  dockerLabUnavailable,
  startDockerLab,
  sweepStaleLabs,
  verifyScene,
  type DockerLab,
} from "./docker-lab.js";
import { findTool } from "./find-tool.js";
import { findLabProcesses } from "./lab-processes.js";
import { runTool } from "./run-tool.js";

const MIB = 2 ** 20;
const unavailable = await dockerLabUnavailable();
// Where the engine has to be there (CI as root) its absence is a failure, not a reason to skip.
const required = process.env["CI"] === "true" && process.getuid?.() === 0;
if (unavailable !== null)
  console.warn(`docker-lab: real-engine tests ${required ? "fail" : "skipped"}: ${unavailable}`);

test.runIf(required)("a lab can run where CI runs as root", () => {
  expect(unavailable).toBeNull();
});

// An engine alone is enough for everything else.
const hasRegistry = required || findTool("docker-registry") !== null;

/** What is left in the system of a lab's directory; all empty when it is gone. */
async function leftovers(dir: string): Promise<string[]> {
  const loops = (await runTool("losetup", ["-a"])).stdout
    .split("\n")
    .filter((line) => line.includes(`${dir}/`));
  return [
    ...findMounts(dir),
    ...findLabProcesses(dir).map((pid) => `process ${pid}`),
    ...loops,
    ...(existsSync(dir) ? [dir] : []),
  ];
}

describe.skipIf(unavailable !== null)("a real engine", () => {
  let lab: DockerLab;
  beforeAll(async () => {
    lab = await startDockerLab({ sizeBytes: 256 * MIB, registry: hasRegistry, tcpPort: 0 });
  }, 60_000);
  afterAll(() => lab.stop(), 30_000);

  test("it answers on its socket and its port, with its data on the small filesystem", async () => {
    const format = "{{.DockerRootDir}} {{.Driver}}";
    expect((await lab.docker(["info", "--format", format])).stdout.trim()).toBe(`${lab.dataRoot} overlay2`);
    const response = await fetch(`http://127.0.0.1:${lab.tcpPort ?? 0}/_ping`);
    expect(await response.text()).toBe("OK");
    const df = await lab.df();
    expect(df.capacityBytes).toBeGreaterThan(200 * MIB);
    expect(df.capacityBytes).toBeLessThan(256 * MIB);
  });

  test("the same seed imports the same content; labels arrive as they are", async () => {
    await lab.importImage({ name: "seed/a:1", bytes: MIB, seed: "s", labels: { "a.b": 'x "y" $z' } });
    await lab.importImage({ name: "seed/b:1", bytes: MIB, seed: "s" });
    const inspect = async (image: string) =>
      (
        await lab.docker([
          "image",
          "inspect",
          "-f",
          '{{.RootFS.Layers}}|{{index .Config.Labels "a.b"}}',
          image,
        ])
      ).stdout;
    const [layersA, label] = (await inspect("seed/a:1")).trim().split("|");
    expect(label).toBe('x "y" $z');
    expect((await inspect("seed/b:1")).split("|")[0]).toBe(layersA);
    await lab.docker(["image", "rm", "seed/a:1", "seed/b:1"]);
  }, 20_000);

  test("both builders make an image with one layer an entry", async () => {
    for (const buildkit of [true, false]) {
      const id = await lab.buildImage({
        name: "built:1",
        layers: [{ bytes: MIB }, { bytes: MIB }],
        buildkit,
      });
      const layers = (
        await lab.docker(["image", "inspect", "-f", "{{len .RootFS.Layers}}", id])
      ).stdout.trim();
      expect(layers).toBe("3");
      await lab.docker(["image", "rm", "built:1"]);
    }
  }, 30_000);

  test.runIf(hasRegistry)(
    "what was pushed comes back by its digest as the same image",
    async () => {
      const id = await lab.importImage({ name: "pushed:1", bytes: MIB });
      const { name, digestReference } = await lab.pushImage("pushed:1", "some/image:1");
      await lab.docker(["image", "rm", "pushed:1", name]);
      await expect(lab.imageId("pushed:1")).rejects.toMatchObject({ code: "commandFailed" });
      expect(await lab.pullImage(digestReference)).toBe(id);
      await lab.docker(["image", "rm", digestReference]);
    },
    30_000,
  );

  test("a scene survives fill, restart and kill, and every kind of damage is noticed", async () => {
    const scene = await createProtectedScene(lab, { bytes: 2 * MIB, cacheBytes: 4 * MIB });
    const { df, images } = await lab.fillTo(0.95, { imageBytes: 64 * MIB });
    expect(images.length).toBeGreaterThan(1);
    expect(df.pressure).toBeGreaterThanOrEqual(0.95);
    expect(df.pressure).toBeLessThan(0.955);
    expect(await verifyScene(scene)).toEqual([]);

    await lab.restartEngine();
    await lab.docker(["start", "scene-running"]);
    const id = (await lab.docker(["container", "inspect", "-f", "{{.Id}}", "scene-running"])).stdout.trim();
    const bundle = join(lab.dir, "exec/containerd/daemon/io.containerd.runtime.v2.task/moby", id);
    const shimSocket = readFileSync(join(bundle, "address"), "utf8").trim().replace("unix://", "");
    expect(existsSync(shimSocket)).toBe(true);
    await lab.killEngine();
    expect(lab.enginePid()).toBeNull();
    expect(findLabProcesses(lab.dir, "engine")).toEqual([]);
    expect(existsSync(shimSocket)).toBe(false);
    await lab.startEngine();
    expect(await verifyScene(scene)).toEqual([]);

    await lab.docker(["rm", "-f", "scene-stopped"]);
    await lab.docker(["image", "rm", "scene/kept:1"]);
    const volume = (
      await lab.docker(["volume", "inspect", "-f", "{{.Mountpoint}}", "scene-volume"])
    ).stdout.trim();
    const content = readFileSync(join(volume, "content"));
    content[MIB] = (content[MIB] ?? 0) ^ 1;
    writeFileSync(join(volume, "content"), content);
    expect(await verifyScene(scene)).toEqual([
      expect.stringContaining("container scene-stopped (its writable layer can't be had again) is missing"),
      expect.stringContaining("image scene/kept:1 (it has the label continuum.keep=true) is missing"),
      "volume scene-volume (it is a named volume) has changed",
    ]);
  }, 60_000);

  test("a paused engine accepts connections and answers once it goes on", async () => {
    lab.pauseEngine();
    try {
      await expect(lab.docker(["version"], { timeoutMs: 500 })).rejects.toMatchObject({ code: "timeout" });
    } finally {
      lab.resumeEngine();
    }
    expect((await lab.docker(["version", "-f", "{{.Server.Os}}"])).stdout.trim()).toBe("linux");
  });

  test("two labs side by side; stopping one leaves the other, stopping again is harmless", async () => {
    const other = await startDockerLab({ sizeBytes: 64 * MIB });
    await other.runContainer({ name: "sleeper" });
    const { dir } = other;
    await other.stop();
    await other.stop();
    expect(await leftovers(dir)).toEqual([]);
    expect((await lab.docker(["version", "-f", "{{.Server.Os}}"])).stdout.trim()).toBe("linux");
  }, 30_000);

  test("an aborted start leaves nothing", async () => {
    const lines: string[] = [];
    const controller = new AbortController();
    const starting = startDockerLab({
      sizeBytes: 64 * MIB,
      signal: controller.signal,
      log: (line) => {
        lines.push(line);
        controller.abort();
      },
    });
    await expect(starting).rejects.toThrow("aborted");
    const dir = / in (\S+)$/.exec(lines.at(-1) ?? "")?.[1] ?? "";
    expect(dir).toContain("continuum-lab-");
    expect(await leftovers(dir)).toEqual([]);
  }, 30_000);

  test.each(["SIGINT", "SIGKILL"] as const)(
    "an owner ended by %s leaves nothing, at the latest after a sweep",
    async (signal) => {
      const root = join(import.meta.dirname, "../..");
      const owner = spawn(
        process.execPath,
        ["--import", "tsx", "tools/docker-lab.ts", "up", "--size", "64MiB"],
        {
          cwd: root,
          stdio: ["ignore", "pipe", "ignore"],
        },
      );
      const ended = new Promise<void>((resolve) => owner.once("exit", () => resolve()));
      let dir = "";
      for await (const line of createInterface({ input: owner.stdout })) {
        dir = /^export CONTINUUM_LAB_DIR=(.*)$/.exec(line)?.[1] ?? dir;
        if (line.startsWith("export CONTINUUM_LAB_MOUNT=")) break;
      }
      expect(findLabProcesses(dir).length).toBeGreaterThan(0);
      owner.kill(signal);
      await ended;
      if (signal === "SIGKILL") {
        sweepStaleLabs();
      }
      // Another lab that starts just now may be sweeping the same one.
      await vi.waitFor(async () => expect(await leftovers(dir)).toEqual([]), 10_000);
    },
    30_000,
  );
});
