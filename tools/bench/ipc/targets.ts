/** One figure that is held against what is wanted. */
export interface Target {
  readonly what: string;
  readonly wanted: number;
  /** NaN where it wasn't measured. */
  readonly achieved: number;
  /** Whether less is better. */
  readonly atMost?: boolean;
  /** A unit behind the figures; they are ratios (`x`) unless told otherwise. */
  readonly unit?: string;
}

/** What a run measured; each gives NaN for what it has not. */
export interface Figures {
  /** Operations per second of a subject, with so many in flight. */
  readonly operations: (subject: string, inFlight: number) => number;
  /** The 99th percentile of one operation after another, in microseconds. */
  readonly p99Us: (subject: string) => number;
  /** Bytes per second of an attachment of so many MiB. */
  readonly attachment: (subject: string, mib: number) => number;
  /** Memory at the highest beyond what was there before, in MiB, for an attachment of so many MiB. */
  readonly peakMib: (subject: string, mib: number) => number;
}

/** The lengths of attachments, in MiB; the last one leaves room for its JSON below the limit of a frame. */
export const ATTACHMENT_MIB = [64, 256, 1023] as const;

/** What is wanted of the client and the core, and what came of it. */
export function toTargets({ operations, p99Us, attachment, peakMib }: Figures): readonly Target[] {
  const ratio = (inFlight: number, peer: string, ours = "continuum"): number =>
    operations(ours, inFlight) / operations(peer, inFlight);
  const bytes = (ours: string, peer: string): number => attachment(ours, 64) / attachment(peer, 64);
  const fastestRedis = (inFlight: number): number =>
    operations("continuum", inFlight) /
    Math.max(operations("ioredis", inFlight), operations("ioredis, autopipelining", inFlight));
  const [smallest, , largest] = ATTACHMENT_MIB;
  return [
    { what: "1 in flight, against the floor", wanted: 0.8, achieved: ratio(1, "floor") },
    {
      what: "1 in flight, against the existing client, connecting per call",
      wanted: 1.3,
      achieved: ratio(1, "existing, connecting"),
    },
    {
      what: "1 in flight, against the existing client kept connected",
      wanted: 1.3,
      achieved: ratio(1, "existing"),
    },
    {
      what: "1 in flight, p99 against the floor's",
      wanted: 2,
      achieved: p99Us("continuum") / p99Us("floor"),
      atMost: true,
    },
    ...(
      [
        [64, 0.7, 3.5, 2.3],
        [512, 0.5, 4, 3],
      ] as const
    ).flatMap(([inFlight, floor, existing, redis]) => [
      { what: `${inFlight} in flight, against the floor`, wanted: floor, achieved: ratio(inFlight, "floor") },
      {
        what: `${inFlight} in flight, against the existing client, connecting per call`,
        wanted: existing,
        achieved: ratio(inFlight, "existing, connecting"),
      },
      {
        what: `${inFlight} in flight, against the existing client kept connected`,
        wanted: existing,
        achieved: ratio(inFlight, "existing"),
      },
      {
        what: `${inFlight} in flight, against ioredis (its faster mode)`,
        wanted: redis,
        achieved: fastestRedis(inFlight),
      },
    ]),
    { what: "64 MiB, against the floor", wanted: 0.9, achieved: bytes("continuum", "floor") },
    { what: "64 MiB, against ioredis", wanted: 2, achieved: bytes("continuum", "ioredis") },
    { what: "64 MiB, against the existing client", wanted: 200, achieved: bytes("continuum", "existing") },
    {
      what: "64 MiB into the caller's buffer, against draining",
      wanted: 0.9,
      achieved: bytes("continuum, caller's buffer", "socket, drained"),
    },
    {
      what: `${largest} MiB, bytes per second against ${smallest} MiB`,
      wanted: 0.8,
      achieved: attachment("continuum", largest) / attachment("continuum", smallest),
    },
    {
      what: `${largest} MiB, memory beyond it`,
      wanted: 32,
      achieved: peakMib("continuum", largest) - largest,
      atMost: true,
      unit: "MiB",
    },
    {
      what: `${largest} MiB streamed in chunks that are used again, memory`,
      wanted: 4,
      achieved: peakMib("continuum, chunks reused", largest),
      atMost: true,
      unit: "MiB",
    },
    {
      what: `${largest} MiB streamed in chunks to keep, memory`,
      wanted: 4,
      achieved: peakMib("continuum, streamed", largest),
      atMost: true,
      unit: "MiB",
    },
    {
      what: "cached client against connect, call, disconnect (ours)",
      wanted: 3,
      achieved: ratio(1, "continuum, connecting"),
    },
    {
      what: "cached client, low latency, against connect, call, disconnect (ours)",
      wanted: 3,
      achieved: ratio(1, "continuum, connecting", "continuum, low latency"),
    },
    {
      what: "connect, call, disconnect against the existing client's",
      wanted: 1,
      achieved: ratio(1, "existing, connecting", "continuum, connecting"),
    },
    {
      what: "low latency, 1 in flight, against the floor",
      wanted: 2,
      achieved: ratio(1, "floor", "continuum, low latency"),
    },
  ];
}

/** Whether it is as wanted; null where it wasn't measured. */
export function isReached({ wanted, achieved, atMost = false }: Target): boolean | null {
  if (Number.isNaN(achieved)) return null;
  return atMost ? achieved <= wanted : achieved >= wanted;
}

/** The targets as rows of a table. */
export function toTargetRows(targets: readonly Target[]): string[][] {
  const verdicts = { true: "reached", false: "NOT reached", null: "not measured" };
  return [
    ["", "target", "achieved", ""],
    ...targets.map((target) => {
      const { what, wanted, achieved, atMost = false, unit = "x" } = target;
      const text = Number.isNaN(achieved) ? "-" : `${achieved.toFixed(2)} ${unit}`;
      const verdict = verdicts[String(isReached(target)) as keyof typeof verdicts];
      return [what, `${atMost ? "<=" : ">="} ${wanted} ${unit}`, text, verdict];
    }),
  ];
}
