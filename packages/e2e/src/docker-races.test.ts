import { connectCore } from "@continuum/ipc-client";
import { expect, it } from "vitest";
import { startCore } from "./support/core-process.js";
import { describeWithLab } from "./support/lab-suite.js";
import { prepareRaces, race } from "./support/races.js";

/** CI runs a smaller dose; `CONTINUUM_RACES=1000` the whole one. */
const RACES = Number(process.env["CONTINUUM_RACES"] ?? 60);

describeWithLab(
  "a pull, a run, a tag and a build against a running eviction",
  { registry: true, sizeBytes: 4 * 2 ** 30 },
  (lab) => {
    it(`loses no image in ${RACES} races`, { timeout: 120_000 + RACES * 1_500 }, async () => {
      await prepareRaces(lab());
      // Everything that wasn't used for a second is wanted, all the time.
      const args = ["--docker-host", lab().dockerHost, "--min-age", "0s", "--min-idle", "1s"];
      await using core = await startCore({ args });
      await using client = connectCore({ url: core.url });
      const evicting = new AbortController();
      const applying = (async () => {
        while (!evicting.signal.aborted) {
          // A few images at a time, so that plans are always fresh.
          const { planId, entries } = await client.dockerEvictPlan({
            policy: "standard",
            wantBytes: 30_000_000,
          });
          if (entries.length > 0) await client.dockerEvictApply({ planId, waitMs: 25_000 });
        }
      })();
      const { races, losses, tooLate } = await race(lab(), { count: RACES, idleMs: 1_000 });
      evicting.abort();
      await applying;
      const { records } = await client.dockerEvictHistory({ limit: 1000 });
      const deleted = records.filter(({ outcome }) => outcome === "deleted").length;
      const restored = records.filter(({ outcome }) => outcome === "restored").length;
      console.log(
        `races: ${JSON.stringify(races)}, ${tooLate} came too late, ${deleted} deletions and ${restored} restorations in the last 1,000 lines`,
      );
      expect(losses).toEqual([]);
      expect(deleted).toBeGreaterThan(0);
    });
  },
);
