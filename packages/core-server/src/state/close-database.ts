import type Database from "libsql";

/**
 * Closing alone lets go of the file's lock only when all statements have been collected as garbage: the library has no way to
 * end a statement. Its descriptor goes then, too; where another connection of this process has a lock on the file by then,
 * when that one lets go, since closing it would end the other's lock.
 */
export function closeDatabase(db: Database.Database): void {
  try {
    db.exec("PRAGMA locking_mode = NORMAL");
    db.exec("SELECT count(*) FROM sqlite_master");
  } catch {
    // A file that can't be read has no lock to let go of.
  }
  db.close();
}
