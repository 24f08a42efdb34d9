import { systemClock } from "@continuum/broker-core";
import type { CacheDeletion } from "@continuum/pool-directory";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { tempDirectory } from "../testing/temp-directory.js";
import { type CacheLedgerStore, MemoryCacheLedger } from "./cache-ledger.js";
import { openState } from "./open-state.js";
import { StateFile } from "./state-file.js";

const deletion = (id: string, pool = "cache-a"): CacheDeletion => ({
  id,
  pool,
  key: id,
  kind: "directory",
  path: `/cache/${id}`,
  outcome: "deleted",
  expectedBytes: 4096,
  reason: "last used 9 d ago",
  restoreCommand: null,
  atMs: 1,
});
const log = pino({ level: "silent" });

describe.each(["file", "memory"])("the ledger of cache directories in %s", (where) => {
  const open = async (): Promise<{ readonly ledger: CacheLedgerStore } & AsyncDisposable> => {
    const temp = await tempDirectory();
    const file = where === "file" ? new StateFile(join(temp.path, "state.db")) : null;
    const close = async (): Promise<void> => {
      file?.close();
      await temp[Symbol.asyncDispose]();
    };
    return { ledger: file ?? new MemoryCacheLedger(), [Symbol.asyncDispose]: close };
  };

  it("is read page by page, newest first, of all pools or of one", async () => {
    await using opened = await open();
    const { ledger } = opened;
    expect(ledger.deletions({ limit: 10 })).toEqual([]);
    const sequences = ["1", "2", "3", "4"].map((id) =>
      ledger.appendDeletion(deletion(id, Number(id) % 2 === 0 ? "cache-b" : "cache-a")),
    );
    const idsOf = (query: Parameters<CacheLedgerStore["deletions"]>[0]): string[] =>
      ledger.deletions(query).map(({ id }) => id);
    expect(idsOf({ limit: 3 })).toEqual(["4", "3", "2"]);
    expect(idsOf({ limit: 3, beforeSequence: sequences[1] })).toEqual(["1"]);
    expect(idsOf({ limit: 1, pool: "cache-a" })).toEqual(["3"]);
    expect(idsOf({ limit: 9, pool: "cache-a", beforeSequence: sequences[2] })).toEqual(["1"]);
    expect(ledger.deletions({ limit: 1 })).toEqual([{ ...deletion("4", "cache-b"), sequence: sequences[3] }]);
  });

  it("keeps 10,000 lines and some, whose numbers go on", async () => {
    await using opened = await open();
    const { ledger } = opened;
    // A file's line is on the disk before the next: the bound is met there by a smaller one, below.
    const count = where === "file" ? 20 : 11_500;
    for (let i = 0; i < count; i++) ledger.appendDeletion(deletion(`${i}`));
    const kept = ledger.deletions({ limit: 20_000 });
    expect(kept.length).toBeLessThanOrEqual(11_000);
    expect(kept[0]).toMatchObject({ id: `${count - 1}`, sequence: count });
  });
});

describe("the ledger of cache directories", () => {
  it("moves from memory into its file, in its order", async () => {
    await using temp = await tempDirectory();
    const blocked = join(temp.path, "blocked");
    writeFileSync(blocked, "a file where a directory should be");
    const state = openState({ directory: join(blocked, "state"), log, clock: systemClock });
    for (const id of ["1", "2", "3"]) state.appendDeletion(deletion(id));
    rmSync(blocked);
    state.maintain();
    expect(state.isDurable).toBe(true);
    state.close();
    const again = openState({ directory: join(blocked, "state"), log, clock: systemClock });
    expect(again.deletions({ limit: 9 }).map(({ id }) => id)).toEqual(["3", "2", "1"]);
    again.close();
  });
});
