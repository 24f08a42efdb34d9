import { PoolError } from "@continuum/broker-core";
import { z } from "zod";

/** One event of an engine, as both its older and its newer fields have it. */
export interface EngineEvent {
  readonly type: "container" | "image";
  /** What happened, without its details: `exec_start`, not `exec_start: /bin/sh`. */
  readonly action: string;
  /** A container's id; of an image its id, or the user's string. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** By the engine's clock. */
  readonly atMs: number;
  /** The same in nanoseconds, as text: with the id, it names the event. */
  readonly timeNano: string;
}

/** What 64 bits hold: no clock of an engine's shows more. */
const MAX_NANO = 2 ** 63;

const eventSchema = z.object({
  Type: z.string().nullish(),
  Action: z.string().nullish(),
  status: z.string().nullish(),
  id: z.string().nullish(),
  from: z.string().nullish(),
  Actor: z
    .object({ ID: z.string().nullish(), Attributes: z.record(z.string(), z.string()).nullish() })
    .nullish(),
  time: z
    .number()
    .nonnegative()
    .max(MAX_NANO / 1e9)
    .nullish(),
  timeNano: z.number().nonnegative().max(MAX_NANO).nullish(),
});

/** Reads one line of the stream; null for what is no event of a container or an image. Throws `protocol` for no JSON. */
export function toEngineEvent(line: string, name: string): EngineEvent | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new PoolError("protocol", `${name}: an event is no JSON`, { cause });
  }
  const parsed = eventSchema.safeParse(value);
  if (!parsed.success) throw new PoolError("protocol", `${name}: an event has an unexpected shape`);
  const { Type, Action, status, id, from, Actor, time, timeNano } = parsed.data;
  const type = Type ?? "container";
  const action = (Action ?? status ?? "").replace(/:.*/su, "");
  if ((type !== "container" && type !== "image") || action === "") return null;
  // A JSON number of nanoseconds has lost its last digits, the same ones each time.
  const nano = timeNano ?? (time ?? 0) * 1e9;
  return {
    type,
    action,
    id: Actor?.ID ?? id ?? "",
    attributes: Actor?.Attributes ?? (from === null || from === undefined ? {} : { image: from }),
    atMs: Math.round(nano / 1e6),
    timeNano: /"timeNano"\s*:\s*(\d+)/u.exec(line)?.[1] ?? String(BigInt(Math.round(nano))),
  };
}
