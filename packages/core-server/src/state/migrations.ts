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
  `CREATE TABLE document (
     namespace TEXT NOT NULL,
     key TEXT NOT NULL,
     value TEXT NOT NULL,
     PRIMARY KEY (namespace, key)
   ) WITHOUT ROWID;
   CREATE TABLE pool (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
   ${readingTable("reading_raw")}
   ${readingTable("reading_minute")}
   ${readingTable("reading_hour")}`,
  `CREATE TABLE cache_ledger (
     sequence INTEGER PRIMARY KEY AUTOINCREMENT,
     pool TEXT NOT NULL,
     entry TEXT NOT NULL
   );
   CREATE INDEX cache_ledger_by_pool ON cache_ledger (pool, sequence);`,
  "CREATE TABLE reading_inbox (sequence INTEGER PRIMARY KEY, readings TEXT NOT NULL);",
];

function readingTable(name: string): string {
  return `CREATE TABLE ${name} (
     pool_id INTEGER NOT NULL,
     at_ms INTEGER NOT NULL,
     samples INTEGER NOT NULL,
     used_sum REAL NOT NULL,
     capacity INTEGER NOT NULL,
     pressure_sum REAL NOT NULL,
     pressure_min REAL NOT NULL,
     pressure_max REAL NOT NULL,
     PRIMARY KEY (pool_id, at_ms)
   ) WITHOUT ROWID;`;
}
