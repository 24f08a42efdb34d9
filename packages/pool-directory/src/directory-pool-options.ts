import type { Clock } from "@continuum/broker-core";
import type { CacheLedger } from "./cache-ledger.js";
import type { CacheLayout } from "./cache-scan.js";
import type { FindFilesInUse } from "./files-in-use.js";

/** What a directory pool takes. */
export interface DirectoryPoolOptions {
  /** The pool's name with the broker. */
  readonly name: string;
  /** An absolute path of a directory that is there; neither `/` nor a home. */
  readonly root: string;
  /** Found out by the root's children when left out, anew with each walk. */
  readonly layout?: CacheLayout;
  /** The cache's budget; null: its filesystem's capacity, and pressure is the filesystem's then. */
  readonly maxBytes: number | null;
  /** `off` only says what it would delete. */
  readonly evict: "off" | "on";
  /** Nothing that was used or changed later than so long ago is deleted. */
  readonly minAgeMs: number;
  /** Entries whose key matches are never deleted: `*` is any text, `?` one character. */
  readonly keep?: readonly string[];
  readonly clock?: Clock;
  /** Hears of each deletion. */
  readonly ledger?: CacheLedger;
  /** Hears what nobody else would: a walk that failed, a ledger that threw, what a killed process had left. */
  readonly onEvent?: (message: string, error: unknown) => void;
  /** The least time from one walk to the next; 10 s. It is longer where walks take long: 100 times as long. */
  readonly walkGapMs?: number;
  /** A walk that takes longer is given up; 10 min. */
  readonly walkDeadlineMs?: number;
  /** For tests. */
  readonly findFilesInUse?: FindFilesInUse;
}
