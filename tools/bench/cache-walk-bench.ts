import { DirectoryCachePool } from "@continuum/pool-directory";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { promisify } from "node:util";
import { formatTable } from "../contract/format-tables.js";

const run = promisify(execFile);
const ROUNDS = 3;
const FILES_PER_REVISION = 20;
/** So many revisions are evicted at once. */
const EVICTED = 3;

/** A hub's cache: so many blobs in all, each with a link in a revision's snapshot, so many revisions a repository. */
interface HubShape {
  readonly files: number;
  readonly revisionsPerRepository: number;
}

const SHAPES: readonly HubShape[] = [
  { files: 1_000, revisionsPerRepository: 2 },
  { files: 10_000, revisionsPerRepository: 2 },
  { files: 10_000, revisionsPerRepository: 100 },
];

/** So many revisions of one repository, all of which are evicted at once. */
const EVICTIONS = [50, 100, 200, 400];

/** A walk of a Hugging Face hub's cache against `du -s` of it, and what evicting revisions takes, few and many. */
export async function benchCacheWalk(): Promise<string> {
  const rows: string[][] = [];
  for (const shape of SHAPES) rows.push(await timeShape(shape));
  const evictions: string[][] = [];
  for (const revisions of EVICTIONS) evictions.push(await timeEviction(revisions));
  return [
    `${ROUNDS} rounds, medians; each file is a blob and a link to it; both with a warm cache of the kernel's`,
    formatTable([
      [
        "files",
        "revisions",
        "in a repository",
        "walk ms",
        "du -s ms",
        "walk / du",
        "longest turn ms",
        "a reading in between µs",
        "evict one of 3 ms",
      ],
      ...rows,
    ]),
    `evicting all revisions of one repository, ${FILES_PER_REVISION} files each; one round`,
    formatTable([["revisions", "evict ms", "ms each"], ...evictions]),
  ].join("\n\n");
}

async function timeShape(shape: HubShape): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), "continuum-hub-"));
  try {
    const revisions = await fillHub(root, shape);
    const signal = new AbortController().signal;
    const walks: number[] = [];
    const dus: number[] = [];
    const reads: number[] = [];
    const turns: number[] = [];
    for (let round = 0; round <= ROUNDS; round += 1) {
      await using pool = newPool(root);
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      const walkMs = await timeMs(() => pool.status(signal));
      delay.disable();
      const duMs = await timeMs(() => run("du", ["-s", root]));
      const readMs = await timeMs(() => pool.read(signal));
      if (round === 0) continue;
      walks.push(walkMs);
      dus.push(duMs);
      reads.push(readMs);
      turns.push(delay.max / 1e6);
    }
    await using pool = newPool(root);
    await pool.status(signal);
    const { usedBytes } = await pool.read(signal);
    const { atMs: walkedAtMs } = await pool.read(signal);
    const wantBytes = (usedBytes * EVICTED) / revisions;
    let count = 0;
    const evictMs = await timeMs(
      async () => (count = (await pool.evict({ wantBytes, signal })).deleted.length),
    );
    if (count === 0 || (await pool.read(signal)).atMs < walkedAtMs) throw new Error("nothing was evicted");
    return [
      `${shape.files}`,
      `${revisions}`,
      `${shape.revisionsPerRepository}`,
      median(walks).toFixed(1),
      median(dus).toFixed(1),
      `${(median(walks) / median(dus)).toFixed(1)} x`,
      median(turns).toFixed(1),
      (1_000 * median(reads)).toFixed(0),
      (evictMs / count).toFixed(0),
    ];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function timeEviction(revisions: number): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), "continuum-hub-"));
  try {
    await fillHub(root, { files: revisions * FILES_PER_REVISION, revisionsPerRepository: revisions });
    await using pool = newPool(root);
    const signal = new AbortController().signal;
    await pool.status(signal);
    const { usedBytes } = await pool.read(signal);
    const startedMs = performance.now();
    const { deleted } = await pool.evict({ wantBytes: usedBytes, signal });
    const tookMs = performance.now() - startedMs;
    if (deleted.length !== revisions) throw new Error(`${deleted.length} of ${revisions} were evicted`);
    return [`${revisions}`, tookMs.toFixed(0), (tookMs / revisions).toFixed(1)];
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

function newPool(root: string): DirectoryCachePool {
  return new DirectoryCachePool({ name: "hub", root, maxBytes: 2 ** 40, evict: "on", minAgeMs: 0 });
}

/** Gives the number of revisions. */
async function fillHub(root: string, { files, revisionsPerRepository }: HubShape): Promise<number> {
  const revisions = files / FILES_PER_REVISION;
  const content = Buffer.alloc(4_096, 1);
  for (let i = 0; i < revisions; i += 1) {
    const repository = join(root, `models--org--m${Math.floor(i / revisionsPerRepository)}`);
    const snapshot = join(repository, "snapshots", `r${i}`);
    const usedAt = new Date(2020, 0, 1, 0, 0, i);
    await Promise.all(
      [snapshot, join(repository, "blobs"), join(repository, "refs")].map((each) =>
        mkdir(each, { recursive: true }),
      ),
    );
    for (let file = 0; file < FILES_PER_REVISION; file += 1) {
      const blob = `b${i}-${file}`;
      await writeFile(join(repository, "blobs", blob), content);
      await utimes(join(repository, "blobs", blob), usedAt, usedAt);
      await symlink(`../../blobs/${blob}`, join(snapshot, `f${file}`));
    }
    await writeFile(join(repository, "refs", `ref${i}`), `r${i}`);
  }
  return revisions;
}

async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
