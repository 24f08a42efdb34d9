import { systemClock } from "@continuum/broker-core";
import { pino } from "pino";
import { openState } from "../state/open-state.js";
import { RecordKeeper } from "../state/record-keeper.js";

/** What this process writes counts up from what it finds: a reading a second, from here on. */
const FIRST_MS = 1_700_000_000_000;

const [directory = ""] = process.argv.slice(2);
const log = pino({ level: "silent" });
const state = openState({ directory, log, clock: systemClock });
const keeper = new RecordKeeper({ store: state, clock: systemClock, log });
const counters = keeper.documents("test").get("counters") as { readonly count: number } | undefined;

/** Writes until it is killed, and says what was kept once it is. */
function count(from: number): void {
  for (let n = from; n < from + 20; n++) {
    keeper.put("test", "counters", { count: n + 1 });
    keeper.put("test", `episode-${n % 7}`, { n });
    const reading = { pool: `pool-${n % 3}`, atMs: FIRST_MS + n * 1_000, usedBytes: n };
    keeper.add({ ...reading, capacityBytes: 1e12, pressure: 0.5 });
    keeper.flush();
    state.append({
      atMs: n,
      evictionId: "e",
      planId: null,
      cause: "pressure",
      policy: "standard",
      kind: "image",
      id: `line-${n}`,
      name: "app:1",
      references: [],
      digests: [],
      rule: "unusedImage",
      reason: "nobody uses it",
      outcome: "deleted",
      detail: null,
      claimedBytes: 1,
      measuredBytes: 1,
      restoreReference: null,
    });
    process.stdout.write(`${n + 1} ${state.notes.length}\n`);
  }
  setImmediate(() => count(from + 20));
}
count(counters?.count ?? 0);
