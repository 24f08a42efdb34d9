/** What brings a state file from each version to the next; the first makes an empty one. Never changed once released. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE image_use (id TEXT PRIMARY KEY, use TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE ledger (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT,
     eviction_id TEXT NOT NULL,
     thing_id TEXT NOT NULL,
     entry TEXT NOT NULL
   );
   CREATE INDEX ledger_by_eviction ON ledger (eviction_id);
   CREATE INDEX ledger_by_thing ON ledger (thing_id);`,
];
