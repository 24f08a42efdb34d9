import { join } from "node:path";
import { formatTable } from "../../contract/format-tables.js";
import type { AttachmentReply } from "./attachment-process.js";
import type { AttachmentSubjectName } from "./attachment-subjects.js";
import { BenchChild } from "./child-process.js";
import { median, spread } from "./median.js";
import { ATTACHMENT_MIB } from "./targets.js";

/** What is measured of attachments. */
export interface AttachmentsOptions {
  readonly program: string;
  readonly directory: string;
  readonly subjects: readonly AttachmentSubjectName[];
  readonly pin: boolean;
  readonly rounds: number;
}

/** What was measured of one way to have attachments, by their length in MiB. */
export type AttachmentSamples = ReadonlyMap<
  AttachmentSubjectName,
  ReadonlyMap<number, readonly AttachmentReply[]>
>;

const MIB = 1024 * 1024;
/** Those that are also measured at lengths beyond 64 MiB, and for their memory. */
const LARGE: readonly AttachmentSubjectName[] = [
  "floor",
  "continuum",
  "continuum, streamed",
  "continuum, chunks reused",
];
/**
 * How often those are measured. More than once, because a virtual machine gets memory that it never had before at a
 * fraction of the rate (here 0.35 GB/s against 2.6): the first round pays for it, and for all after it.
 */
const LARGE_ROUNDS = 3;

/** Measures 64 MiB in interleaved rounds, and longer ones in processes of their own, for their memory. */
export async function measureAttachments(options: AttachmentsOptions): Promise<AttachmentSamples> {
  const { program, directory, subjects, pin, rounds } = options;
  const all = new Map(subjects.map((subject) => [subject, new Map<number, AttachmentReply[]>()] as const));
  const begin = (role: string, subject: string, socketPath: string): Promise<BenchChild> => {
    const cpu = role === "server" ? 0 : 1;
    return BenchChild.start(program, [role, subject, socketPath], { cpu: pin ? cpu : null });
  };
  const pathOf = (subject: AttachmentSubjectName): string =>
    join(directory, `a-${subjects.indexOf(subject)}.sock`);
  const note = (subject: AttachmentSubjectName, mib: number, reply: AttachmentReply): void => {
    const samples = all.get(subject);
    samples?.set(mib, [...(samples.get(mib) ?? []), reply]);
  };
  const children: BenchChild[] = [];
  const clients = new Map<AttachmentSubjectName, BenchChild>();
  const start = async (role: string, subject: AttachmentSubjectName): Promise<BenchChild> => {
    const child = await begin(role, subject, pathOf(subject));
    children.push(child);
    return child;
  };
  try {
    for (const subject of subjects) {
      await start("server", subject);
      clients.set(subject, await start("client", subject));
    }
    for (let round = 0; round <= rounds; round += 1) {
      for (const [subject, client] of clients) {
        // It is given ten seconds: once is enough.
        if (subject === "existing" && round !== rounds) continue;
        const reply = await client.ask<AttachmentReply>(64 * MIB);
        if (round > 0) note(subject, 64, reply);
      }
    }
    for (const mib of ATTACHMENT_MIB.slice(1)) {
      for (let round = 0; round < LARGE_ROUNDS; round += 1) {
        for (const subject of LARGE.filter((name) => subjects.includes(name))) {
          const client = await start("client", subject);
          // The server makes it, and code gets fast.
          await client.ask(MIB);
          const other = await start("client", subject);
          await other.ask(mib * MIB);
          // What it holds is another's to use.
          await other.stop();
          note(subject, mib, await client.ask<AttachmentReply>(mib * MIB));
          await client.stop();
        }
      }
    }
  } finally {
    for (const child of children.reverse()) await child.stop();
  }
  return all;
}

/** Bytes per second, the median of the rounds. */
export function bytesPerSecond(samples: readonly AttachmentReply[] = []): number {
  return median(samples.map(({ bytes, seconds }) => bytes / seconds));
}

/** Memory at the highest beyond what was there before, in MiB. */
export function peakMib(samples: readonly AttachmentReply[] = []): number {
  return median(samples.map(({ peakBytes }) => (peakBytes ?? Number.NaN) / MIB));
}

/** The figures as a table. */
export function formatAttachments(all: AttachmentSamples): string {
  const rows = [...all].flatMap(([subject, byLength]) =>
    [...byLength].map(([mib, samples]) => {
      const rates = samples.map(({ bytes, seconds }) => bytes / seconds / 1e6);
      const came = Math.min(...samples.map(({ bytes }) => bytes)) / MIB;
      const peak = mib === 64 ? "" : peakMib(samples).toFixed(1);
      return [
        subject,
        `${mib} MiB`,
        median(rates).toFixed(1),
        spread(rates),
        peak,
        came < mib ? `stopped after ${came.toFixed(0)} MiB: it only gets slower` : "",
      ];
    }),
  );
  return formatTable([["", "attachment", "MB/s", "spread", "peak MiB", ""], ...rows]);
}
