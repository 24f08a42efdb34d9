import type { EvictionLedger, LedgerEntry } from "../journal/eviction-ledger.js";
import { EvictionError } from "./eviction-error.js";

/** Lines of the ledger that are looked through for a reference. */
const MAX_SEARCHED = 10_000;
const SEARCH_PAGE = 500;

/** Of some lines of the ledger, the last one of each thing that may be gone: deleted, or nobody knows. */
export function toLostEntries(lines: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const last = new Map<string, LedgerEntry>();
  const inOrder = [...lines].sort((a, b) => a.sequence - b.sequence);
  for (const line of inOrder) last.set(`${line.kind} ${line.id}`, line);
  return [...last.values()].filter(({ outcome }) => outcome !== "kept");
}

/** What one eviction deleted. Throws an EvictionError `evictionUnknown` when the ledger has nothing of it. */
export function lostByEviction(ledger: EvictionLedger, evictionId: string): readonly LedgerEntry[] {
  const lost = toLostEntries(ledger.byEviction(evictionId));
  if (lost.length === 0) throw unknown(`eviction ${evictionId.slice(0, 100)}`);
  return lost;
}

/**
 * What is known of one image that was deleted, by its id or by a reference that it had. Throws an EvictionError
 * `evictionUnknown` when the ledger has nothing of it.
 */
export function lostImage(ledger: EvictionLedger, image: string): readonly LedgerEntry[] {
  const byId = toLostEntries(ledger.byImage(image));
  if (byId.length > 0) return byId;
  let beforeSequence: number | undefined;
  for (let searched = 0; searched < MAX_SEARCHED; searched += SEARCH_PAGE) {
    const before = beforeSequence === undefined ? {} : { beforeSequence };
    const page = ledger.page({ limit: SEARCH_PAGE, ...before });
    const found = page.find((line) => isNamed(line, image));
    if (found !== undefined) return toLostEntries(ledger.byImage(found.id));
    beforeSequence = page.at(-1)?.sequence;
    if (beforeSequence === undefined) break;
  }
  throw unknown(`image ${image.slice(0, 200)}`);
}

function isNamed({ kind, outcome, references, digests, id }: LedgerEntry, image: string): boolean {
  if (kind !== "image" || outcome === "kept") return false;
  const names = [id, id.replace("sha256:", ""), ...references, ...digests];
  return names.includes(image) || references.includes(`${image}:latest`);
}

function unknown(what: string): EvictionError {
  const reason = `the ledger has no deletion of ${what}`;
  return new EvictionError(`${reason}: see system/docker-evict-history`, { kind: "evictionUnknown", reason });
}
