import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { formatTable } from "../../contract/format-tables.js";
import type { AttachmentSubjectName } from "./attachment-subjects.js";
import { bytesPerSecond, formatAttachments, measureAttachments, peakMib } from "./attachments-bench.js";
import { buildProgram } from "./build-program.js";
import { canPin } from "./child-process.js";
import { formatOperations, measureOperations, operationsPerSecond, p99Us } from "./operations-bench.js";
import type { SubjectName } from "./subjects/index.js";
import { toTargetRows, toTargets } from "./targets.js";

/** What can be measured alone: one small request at a time or many, larger ones, attachments. */
export const IPC_PARTS = ["small", "large", "attachments"] as const;

/** A part of the benchmark. */
export type IpcPart = (typeof IPC_PARTS)[number];

/** How it is measured; by default it takes some four minutes. */
export interface IpcBenchOptions {
  /** What is measured: all of it. */
  readonly parts?: readonly IpcPart[] | undefined;
  /** How often each subject has its turn: 5. */
  readonly rounds?: number | undefined;
  /** How long a turn takes, in ms: 300. */
  readonly roundMs?: number | undefined;
  /**
   * Whether each side is held on a processor of its own, where that can be: no. It steadies a quiet machine's figures,
   * and takes the processor that the compiler and the garbage collector would use beside the code.
   */
  readonly pin?: boolean | undefined;
}

const SMALL: readonly SubjectName[] = [
  "floor",
  "continuum",
  "continuum, low latency",
  "continuum, connecting",
  "existing",
  "existing, connecting",
  "ioredis",
  "ioredis, autopipelining",
  "grpc-js",
  "vscode-jsonrpc",
];
const LARGE: readonly SubjectName[] = ["floor", "continuum", "existing"];
const ATTACHMENTS: readonly AttachmentSubjectName[] = [
  "socket, drained",
  "floor",
  "continuum",
  "continuum, caller's buffer",
  "continuum, streamed",
  "continuum, chunks reused",
  "existing",
  "ioredis",
];

/** The client and the core against their peers over Unix sockets, each side in a process of its own. */
export async function benchIpc({
  parts = IPC_PARTS,
  rounds = 5,
  roundMs = 300,
  pin = false,
}: IpcBenchOptions = {}): Promise<string> {
  const hasRedis = spawnSync("redis-server", ["--version"]).status === 0;
  const isThere = (name: string): boolean => hasRedis || !name.startsWith("ioredis");
  const isPinned = pin && canPin(availableParallelism());
  const directory = await mkdtemp(join(tmpdir(), "ipc-bench-"));
  try {
    const program = await buildProgram("subject-process");
    const common = { program, directory, pin: isPinned, rounds, roundMs };
    const of = <T>(part: IpcPart, subjects: readonly T[]): readonly T[] =>
      parts.includes(part) ? subjects : [];
    const small = await measureOperations({
      ...common,
      payload: "stats",
      subjects: of("small", SMALL.filter(isThere)),
    });
    const large = await measureOperations({ ...common, payload: "state", subjects: of("large", LARGE) });
    const attachments = await measureAttachments({
      ...common,
      program: await buildProgram("attachment-process"),
      subjects: of("attachments", ATTACHMENTS.filter(isThere)),
    });
    const section = (part: IpcPart, title: string, table: () => string): string[] =>
      parts.includes(part) ? [`\n${title}\n\n${table()}`] : [];
    const targets = toTargets({
      operations: (subject, inFlight) =>
        operationsPerSecond(small.get(inFlight)?.get(subject as SubjectName)),
      p99Us: (subject) => p99Us(small.get(1)?.get(subject as SubjectName)),
      attachment: (subject, mib) =>
        bytesPerSecond(attachments.get(subject as AttachmentSubjectName)?.get(mib)),
      peakMib: (subject, mib) => peakMib(attachments.get(subject as AttachmentSubjectName)?.get(mib)),
    });
    return [
      `Unix sockets, client and server in processes of their own, ${isPinned ? "each on a processor of its own" : "wherever they are put"}; medians of ${rounds} interleaved rounds of ${roundMs} ms`,
      ...(hasRedis ? [] : ["no redis-server here: without ioredis"]),
      ...section("small", "A small reply (system/docker-tier-stats)", () => formatOperations(small)),
      ...section("large", "A large reply (system/pressure-broker-state, 8 pools, names beyond ASCII)", () =>
        formatOperations(large),
      ),
      ...section("attachments", "Attachments", () => formatAttachments(attachments)),
      `\nTargets\n\n${formatTable(toTargetRows(targets))}`,
    ].join("\n");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
