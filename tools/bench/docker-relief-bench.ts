import { systemClock } from "@continuum/broker-core";
import { createDockerPool } from "@continuum/pool-docker";
import { formatBytes, formatPercent } from "@continuum/wire-types";
import {
  createProtectedScene,
  type DockerLab,
  dockerLabUnavailable,
  startDockerLab,
  verifyScene,
} from "../lab/docker-lab.js";
import { formatTable } from "../contract/format-tables.js";

const MB = 1_000_000;
const TARGET = 0.6;

interface Contender {
  readonly name: string;
  /** Frees what it frees; gives nothing: the disk says what it came to. */
  readonly run: (lab: DockerLab) => Promise<void>;
}

const contenders: readonly Contender[] = [
  { name: "continuum (standard)", run: relieveByPool },
  {
    name: "docker system prune -f",
    run: async (lab) => {
      await lab.docker(["system", "prune", "-f"]);
    },
  },
  {
    name: "docker image prune -af",
    run: async (lab) => {
      await lab.docker(["image", "prune", "-af"]);
    },
  },
  { name: "oldest-first script", run: relieveByScript },
];

/** Time to the target and bytes deleted on a disk that is 97 % full, the same content for each contender. */
export async function benchDockerRelief(): Promise<string> {
  const reason = await dockerLabUnavailable();
  if (reason !== null) return `skipped: no Docker lab here: ${reason}`;
  const rows: string[][] = [["", "seconds", "from", "to", "target", "deleted", "beyond it", "lost"]];
  for (const { name, run } of contenders) {
    await using lab = await startDockerLab({ registry: true });
    const scene = await createProtectedScene(lab, { cacheBytes: 40 * MB });
    await lab.fillTo(0.97, { imageBytes: 40 * MB });
    const before = await lab.df();
    const startedMs = performance.now();
    await run(lab);
    const seconds = (performance.now() - startedMs) / 1000;
    const after = await lab.df();
    const lost = await verifyScene(scene);
    const beyondBytes = Math.max(0, TARGET * after.capacityBytes - after.usedBytes);
    rows.push([
      name,
      seconds.toFixed(2),
      formatPercent(before.pressure),
      formatPercent(after.pressure),
      after.pressure <= TARGET ? "reached" : "not reached",
      formatBytes(Math.max(0, before.usedBytes - after.usedBytes)),
      formatBytes(beyondBytes),
      lost.length === 0 ? "nothing" : `${lost.length} protected`,
    ]);
  }
  return `From 97 % to ${formatPercent(TARGET)}, a 1 GiB disk, images of 40 MB, protected things beside them\n${formatTable(rows)}`;
}

/** The cost of one reading against `docker system df`, by the number of images. */
export async function benchDockerReading(): Promise<string> {
  const reason = await dockerLabUnavailable();
  if (reason !== null) return `skipped: no Docker lab here: ${reason}`;
  const rows: string[][] = [["images", "reading", "docker system df", "ratio"]];
  await using lab = await startDockerLab();
  const pool = openPool(lab);
  try {
    let made = 0;
    for (const images of [10, 100, 500]) {
      for (; made < images; made++) await lab.importImage({ name: `many/image-${made}:1`, bytes: 20_000 });
      const readings: number[] = [];
      const dfs: number[] = [];
      for (let i = 0; i < 7; i++) {
        readings.push(await timed(() => pool.tier()));
        dfs.push(await timed(() => lab.docker(["system", "df"])));
      }
      const [reading, df] = [median(readings), median(dfs)];
      rows.push([
        `${images}`,
        `${reading.toFixed(2)} ms`,
        `${df.toFixed(1)} ms`,
        `1 : ${(df / reading).toFixed(0)}`,
      ]);
    }
  } finally {
    await pool.close();
  }
  return `Medians of 7, interleaved; a reading asks the engine who it is every 10 s, and statfs every time\n${formatTable(rows)}`;
}

function openPool(lab: DockerLab): ReturnType<typeof createDockerPool> {
  return createDockerPool({ dockerHost: lab.dockerHost, evict: "standard", clock: systemClock, minAgeMs: 0 });
}

async function relieveByPool(lab: DockerLab): Promise<void> {
  const pool = openPool(lab);
  const { signal } = new AbortController();
  try {
    const { usedBytes, capacityBytes } = await pool.read(signal);
    await pool.evict({ wantBytes: Math.ceil(usedBytes - TARGET * capacityBytes), signal });
  } finally {
    await pool.close();
  }
}

/** What people have in cron: oldest first, until the disk is low enough. */
async function relieveByScript(lab: DockerLab): Promise<void> {
  const { stdout } = await lab.docker(["image", "ls", "-q", "--no-trunc"]);
  const ids = [...new Set(stdout.trim().split("\n"))];
  const { stdout: created } = await lab.docker([
    "image",
    "inspect",
    "--format",
    "{{.Created}} {{.Id}}",
    ...ids,
  ]);
  for (const line of created.trim().split("\n").sort()) {
    if ((await lab.df()).pressure <= TARGET) return;
    // In use: the engine refuses, and the script goes on.
    await lab.docker(["image", "rm", line.split(" ")[1] ?? ""]).catch(() => null);
  }
}

async function timed(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
