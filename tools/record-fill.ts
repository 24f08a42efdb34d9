/**
 * `tsx tools/record-fill.ts KIND NAME FILE [SIZE]`: fills a small ext4 of its own (or a Docker lab's) until it is full,
 * and writes what was read of it once a second as a trace for the bench. Needs root and util-linux.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { copyFile, mkdir, open, readdir, stat, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { destroyLab } from "./lab/destroy-lab.js";
import { DockerLabError, parseSize, startDockerLab } from "./lab/docker-lab.js";
import { incompressibleBytes } from "./lab/image-stream.js";
import { mountLabFilesystem } from "./lab/lab-filesystem.js";
import { runTool } from "./lab/run-tool.js";

const SAMPLE_MS = 1_000;
/** A recording that takes longer ends unfinished, and is none. */
const LONGEST_MS = 20 * 60_000;

/** Writes into `dir` until there is no space: what it throws then ends it. */
type Fill = (dir: string, signal: AbortSignal) => Promise<void>;

const MIB = 2 ** 20;

const fills: Readonly<Record<string, Fill>> = {
  /** As fast as it goes. */
  "copy-node-modules": copyAgain(["node_modules"], null),
  "copy-usr": copyAgain(["/usr/lib/x86_64-linux-gnu", "/usr/share"], null),
  /** As an install over a network goes: a time for each file, and a time for its bytes. */
  "install-node-modules": copyAgain(["node_modules"], { fileMs: 1.5, bytesPerMs: 6_000 }),
  "install-python": copyAgain(["/usr/lib/python3.11", "/usr/lib/python3"], { fileMs: 3, bytesPerMs: 8_000 }),
  "install-jvm": copyAgain(["/usr/lib/jvm", "/usr/share/maven-repo"], { fileMs: 3, bytesPerMs: 6_000 }),
  "install-sdk": copyAgain(["/usr/lib/google-cloud-sdk"], { fileMs: 1, bytesPerMs: 8_000 }),
  "install-share": copyAgain(["/usr/share"], { fileMs: 1, bytesPerMs: 8_000 }),
  "small-files": smallFiles,
  trickle: logLines({ everyMs: 200, bytes: 4_096 }),
  "bursty-log": logLines({ everyMs: 500, bytes: 16_384, burstBytes: 400_000, burstOneIn: 20 }),
  "large-file": largeFile,
};

async function record(kind: string, name: string, path: string, size: string): Promise<void> {
  const end = AbortSignal.timeout(LONGEST_MS);
  if (kind === "docker-import" || kind === "docker-build") {
    await using lab = await startDockerLab({
      sizeBytes: parseSize(size),
      log: (line) => console.error(line),
    });
    const importing = async (): Promise<void> => {
      for (let i = 0; !end.aborted; i += 1) {
        const bytes = Math.round(8 * MIB + Math.random() ** 2 * 40 * MIB);
        if (kind === "docker-import") await lab.importImage({ name: `fill/image:${i}`, bytes });
        else
          await lab.buildImage({
            name: `fill/build:${i}`,
            layers: [{ bytes: bytes / 2 }, { bytes: bytes / 4 }],
          });
        await sleep(1_000 + Math.random() * 2_000);
      }
    };
    await sample(name, path, lab.dataRoot, importing());
    return;
  }
  const fill = fills[kind];
  if (fill === undefined)
    throw new Error(`no such kind: ${kind}; there are ${Object.keys(fills).join(", ")}`);
  const dir = mkdtempSync(join(tmpdir(), "continuum-fill-"));
  try {
    const mountPoint = await mountLabFilesystem(dir, parseSize(size));
    await sample(name, path, mountPoint, fill(mountPoint, end));
  } finally {
    const left = destroyLab(dir);
    if (left.length > 0) console.error(`could not remove ${left.join(", ")}`);
  }
}

/** Reads the filesystem once a second until the fill ends. */
async function sample(name: string, path: string, mountPoint: string, filling: Promise<void>): Promise<void> {
  const points: [number, number][] = [];
  const startedMs = performance.now();
  const filled = new AbortController();
  const ended = filling.catch((error: unknown) => {
    const text = String(error);
    if (!/ENOSPC|no space left/iu.test(text)) throw error;
  });
  // Its error is thrown where it is waited for, below.
  void ended.finally(() => filled.abort()).catch(() => undefined);
  for (let due = startedMs; !filled.signal.aborted; due += SAMPLE_MS) {
    await sleep(Math.max(0, due - performance.now()));
    const { blocks, bfree, bavail, files, ffree } = await statfs(mountPoint);
    const used = blocks - bfree;
    // As the core sees it: whatever runs out first.
    const pressure = Number(Math.max(used / (used + bavail), 1 - ffree / files).toFixed(6));
    points.push([Math.round(performance.now() - startedMs), pressure]);
    // Root may use its reserve: for everyone else it is full now.
    if (pressure >= 1) break;
  }
  if (filled.signal.aborted) await ended;
  const last = points.at(-1) ?? [0, 0];
  // What refuses a file may be a few blocks short of full.
  if (last[1] < 0.985) throw new Error(`${name}: it ended at a pressure of ${last[1]}`);
  const trace = { name, fullAtMs: last[0], points };
  writeFileSync(path, `${JSON.stringify(trace)}\n`);
  console.error(`${name}: ${points.length} readings, full after ${(last[0] / 1000).toFixed(0)} s`);
}

/** Copies trees again and again, file by file where a pace is asked for. */
function copyAgain(sources: readonly string[], pace: { fileMs: number; bytesPerMs: number } | null): Fill {
  return async (dir, signal) => {
    for (let i = 0; !signal.aborted; i += 1) {
      const to = join(dir, `copy-${i}`);
      await mkdir(to);
      for (const source of sources) {
        if (pace === null) await runTool("cp", ["-r", source, to], { timeoutMs: LONGEST_MS, signal });
        else await copyPaced(source, join(to, source.replaceAll("/", "_")), pace, signal);
      }
    }
  };
}

async function copyPaced(
  from: string,
  to: string,
  pace: { fileMs: number; bytesPerMs: number },
  signal: AbortSignal,
): Promise<void> {
  await mkdir(to);
  let owedMs = 0;
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (signal.aborted) return;
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyPaced(source, target, pace, signal);
    if (!entry.isFile()) continue;
    const startedMs = performance.now();
    await copyFile(source, target);
    const { size } = await stat(target);
    owedMs += pace.fileMs + size / pace.bytesPerMs - (performance.now() - startedMs);
    if (owedMs < 5) continue;
    const sleptFromMs = performance.now();
    await sleep(owedMs);
    owedMs -= performance.now() - sleptFromMs;
  }
}

async function smallFiles(dir: string, signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i += 1) {
    const to = join(dir, `many-${i}`);
    await mkdir(to);
    for (let file = 0; file < 200; file += 1) {
      await writeFile(join(to, `${file}`), Buffer.alloc(Math.round(200 + Math.random() ** 3 * 30_000), 1));
    }
    await sleep(200);
  }
}

function logLines(options: {
  everyMs: number;
  bytes: number;
  burstBytes?: number;
  burstOneIn?: number;
}): Fill {
  const { everyMs, bytes, burstBytes = 0, burstOneIn = Infinity } = options;
  return async (dir, signal) => {
    await using log = await open(join(dir, "log"), "a");
    while (!signal.aborted) {
      await log.write(Buffer.alloc(Math.random() * burstOneIn < 1 ? burstBytes : bytes, 1));
      await sleep(everyMs);
    }
  };
}

/** One large file in steps of a mebibyte. */
async function largeFile(dir: string, signal: AbortSignal): Promise<void> {
  await using file = await open(join(dir, "large"), "a");
  for (const chunk of incompressibleBytes(2 ** 40, "fill")) {
    if (signal.aborted) return;
    await file.write(chunk);
    await sleep(150 + Math.random() * 200);
  }
}

const [kind = "", name = "", path = "", size = "1GiB"] = process.argv.slice(2);
try {
  await record(kind, name, path, size);
} catch (error) {
  console.error(error instanceof DockerLabError ? error.message : error);
  process.exitCode = 1;
}
