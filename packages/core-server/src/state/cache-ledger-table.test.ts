import Database from "libsql";
import { expect, it } from "vitest";
import { CacheLedgerTable } from "./cache-ledger-table.js";
import { MIGRATIONS } from "./migrations.js";

it("lets the oldest lines go beyond its bound, and never gives a number twice", () => {
  const db = new Database(":memory:");
  for (const migration of MIGRATIONS) db.exec(migration);
  const table = new CacheLedgerTable((sql) => db.prepare(sql), 100);
  for (let i = 1; i <= 1_500; i++) {
    const text = { id: `${i}`, key: "k", kind: "file", path: "/c/k", reason: "old", restoreCommand: null };
    const sequence = table.appendDeletion({
      ...text,
      pool: "c",
      outcome: "deleted",
      expectedBytes: 1,
      atMs: i,
    });
    expect(sequence).toBe(i);
  }
  const kept = table.deletions({ limit: 10_000 });
  expect(kept.length).toBeGreaterThanOrEqual(100);
  expect(kept.length).toBeLessThanOrEqual(600);
  expect(kept[0]).toMatchObject({ id: "1500", sequence: 1500 });
  expect(kept.at(-1)?.sequence).toBe(1500 - kept.length + 1);
  db.close();
});
