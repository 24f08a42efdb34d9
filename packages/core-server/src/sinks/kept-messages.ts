import { type AlertMessage, decodeAlertMessage } from "@continuum/wire-types";

/** Keeps what waits for one sink for longer than the core lives. */
export interface MessageStore {
  /** What an earlier core left, as it was put; undefined for nothing. */
  load(): unknown;
  /** Null removes it. */
  put(value: readonly KeptMessage[] | null): void;
  /** Whether it outlives this core now. */
  isDurable(): boolean;
}

/** A message that waits, on disk. */
export interface KeptMessage {
  readonly message: AlertMessage;
  /** Since when it waits, Unix milliseconds. */
  readonly sinceMs: number;
}

/** What is whole of what is on disk, in order, and how many are not: an older core, or somebody else, may have written them. */
export function decodeKeptMessages(value: unknown): {
  readonly kept: readonly KeptMessage[];
  readonly broken: number;
} {
  if (value === undefined || value === null) return { kept: [], broken: 0 };
  if (!Array.isArray(value)) return { kept: [], broken: 1 };
  const kept = value.flatMap((each) => decodeOne(each) ?? []);
  return { kept, broken: value.length - kept.length };
}

function decodeOne(value: unknown): KeptMessage | null {
  const { message, sinceMs } = (value ?? {}) as Partial<Record<keyof KeptMessage, unknown>>;
  if (typeof sinceMs !== "number" || !Number.isFinite(sinceMs)) return null;
  try {
    return { message: decodeAlertMessage(message), sinceMs };
  } catch {
    // Counted by the caller: it is a message that nobody will hear of.
    return null;
  }
}
