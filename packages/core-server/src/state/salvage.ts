import { PoolError } from "@continuum/broker-core";
import { RESOLUTIONS } from "./record-store.js";
import type { StateFile } from "./state-file.js";
import { StateReader } from "./state-reader.js";

/** Points of readings that are taken out of a damaged file at most: the core waits for them. */
const MAX_SALVAGED_POINTS = 300_000;

/** Takes into a new file what can be read of a damaged one; says what that was. */
export function salvage(damagedPath: string, file: StateFile): string {
  const reader = new StateReader(damagedPath);
  try {
    const uses = reader.uses();
    const documents = reader.documents();
    let left = MAX_SALVAGED_POINTS;
    const { ledgerLines, points } = file.adopt({
      documents,
      ...uses,
      ledger: reader.ledger(),
      deletions: reader.deletions(),
      inbox: reader.inbox(),
      // The coarse ones first: they say the most in the least space.
      rollUps: [...RESOLUTIONS]
        .reverse()
        .map((resolution) => [resolution, takeWhile(reader.rollUps(resolution), () => left-- > 0)]),
    });
    const all = reader.isComplete ? "all of it" : "what could be read of it";
    return `${all}: ${uses.uses.size} uses, ${ledgerLines} lines of the ledger, ${documents.size} documents, ${points} points of readings`;
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    return `nothing of it: ${error.message}`;
  } finally {
    reader.close();
  }
}

function* takeWhile<T>(values: Iterable<T>, isToGoOn: () => boolean): Generator<T> {
  for (const value of values) {
    if (!isToGoOn()) return;
    yield value;
  }
}
