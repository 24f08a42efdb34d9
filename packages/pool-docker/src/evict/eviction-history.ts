import type { DockerEvictionHistory } from "@continuum/wire-types";
import type { EvictionLedger } from "../journal/eviction-ledger.js";
import { toWireRecord } from "./say-eviction.js";

/** Which lines of the ledger are asked for. */
export interface HistoryWish {
  readonly limit: number;
  readonly beforeSequence?: number | undefined;
  readonly evictionId?: string | undefined;
}

/** A page of the ledger, newest first. */
export function readHistory(
  ledger: EvictionLedger,
  { limit, beforeSequence, evictionId }: HistoryWish,
): Omit<DockerEvictionHistory, "durable"> {
  const lines =
    evictionId === undefined
      ? ledger.page({ limit, ...(beforeSequence === undefined ? {} : { beforeSequence }) })
      : ledger
          .byEviction(evictionId)
          .filter(({ sequence }) => beforeSequence === undefined || sequence < beforeSequence)
          .sort((a, b) => b.sequence - a.sequence)
          .slice(0, limit);
  const last = lines.at(-1);
  return {
    records: lines.map(toWireRecord),
    nextBeforeSequence: lines.length === limit && last !== undefined ? last.sequence : null,
  };
}
