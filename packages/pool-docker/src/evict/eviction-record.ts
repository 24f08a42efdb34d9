import { PoolError } from "@continuum/broker-core";
import type { DockerLog } from "../docker-log.js";
import type { EvictionLedger, LedgerEntry } from "../journal/eviction-ledger.js";
import type { PlanEntry } from "../plan/eviction-plan.js";

/** What every line of one eviction has in common. */
export interface EvictionIdentity {
  readonly evictionId: string;
  readonly planId: string | null;
  readonly cause: LedgerEntry["cause"];
  readonly policy: string;
}

/** What a line says of an entry beside the entry itself. */
export type EntryNote = Pick<LedgerEntry, "outcome" | "detail" | "measuredBytes">;

const KIND_NAMES = { image: "image", container: "container", buildCache: "build cache" } as const;

/** Writes what an eviction does, line by line, to the ledger and to the log. */
export class EvictionRecord {
  constructor(
    readonly identity: EvictionIdentity,
    private readonly ledger: EvictionLedger,
    private readonly log: DockerLog,
    private readonly nowMs: () => number,
  ) {}

  /** Durable when it returns, unless the ledger can't be written: then the log's line is what is left of it. */
  write(entry: PlanEntry, { outcome, detail, measuredBytes }: EntryNote): void {
    const { kind, id, name, rule, reason, restoreReference } = entry;
    const image = entry.kind === "image" ? entry.image : null;
    this.writeLine({
      kind,
      id,
      name,
      rule,
      reason,
      restoreReference,
      references: image?.tags ?? [],
      digests: image?.digests ?? [],
      claimedBytes: entry.expectedBytes,
      outcome,
      detail,
      measuredBytes,
    });
  }

  /** As `write`, of something that isn't an entry of a plan. */
  writeLine(line: Omit<LedgerEntry, "sequence" | "atMs" | keyof EvictionIdentity>): void {
    const whole = { ...this.identity, ...line, atMs: this.nowMs() };
    try {
      this.ledger.append(whole);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      // Relief goes on: a disk that stays full harms more than a line that stands in the log alone.
      this.log.warn({ err: error, ledger: whole }, `the ledger can't be written: ${error.message}`);
    }
    const { outcome, detail } = line;
    const name = `${KIND_NAMES[line.kind]} ${line.name}`;
    if (outcome === "intended") this.log.debug({ ledger: whole }, `about to delete ${name}`);
    else this.log.info({ ledger: whole }, `${outcome} ${name}${detail === null ? "" : `: ${detail}`}`);
  }
}
