import type Database from "libsql";

/** Pages that are kept free in the file, for writes on a disk that is full. */
const RESERVED_PAGES = 1_024;
/** Pages that one transaction can change on a full disk: so large is the journal that undoes it kept. */
const RESERVED_JOURNAL_PAGES = 256;
const PAGE_BYTES = 4_096;
/** What the file holds at most before readings are kept shorter, in pages: 256 MiB. */
export const MAX_PAGES = 65_536;
/** Beyond this share of it no reading is kept. */
const MOST_FILL = 1.1;

/** The database of a state file, as its space is looked after. Errors are the database's, and the owner's to convert. */
export interface FileSpacePort {
  readonly db: Database.Database;
  /** A statement that is kept for the next time. */
  readonly statement: (sql: string) => Database.Statement;
  readonly inTransaction: <T>(run: () => T) => T;
  readonly maxPages: number;
}

/** The space of a state file: how much it takes up, and what of it is kept for writes on a disk that is full. */
export class FileSpace {
  constructor(private readonly port: FileSpacePort) {}

  /** How large the file is. */
  get sizeBytes(): number {
    return this.#count("page_count") * PAGE_BYTES;
  }

  /** How much of what the file may hold is held, a ratio. */
  get fill(): number {
    return (this.#count("page_count") - this.#freePages) / this.port.maxPages;
  }

  /** Whether what is left is for the ledger and the documents: readings grow the file, or aren't kept. */
  get isTight(): boolean {
    return this.#freePages < RESERVED_PAGES / 4 || this.fill > MOST_FILL;
  }

  /** Allocates space for later writes where too little is left; throws what the database does when there is none. */
  reserve(): void {
    // One that was cut off before its end left its table, with the space in it.
    this.port.db.exec("DROP TABLE IF EXISTS reserve");
    if (this.#freePages < RESERVED_PAGES / 2) this.#allocate();
  }

  get #freePages(): number {
    return this.#count("freelist_count");
  }

  #count(pragma: "page_count" | "freelist_count"): number {
    const row = this.port.statement(`PRAGMA ${pragma}`).get() as
      Readonly<Record<string, unknown>> | undefined;
    return Number(row?.[pragma] ?? 0);
  }

  #allocate(): void {
    const { db, inTransaction } = this.port;
    try {
      inTransaction(() => {
        db.exec("CREATE TABLE reserve (filler BLOB)");
        // For a table that goes at once: it isn't kept.
        const insert = db.prepare(`INSERT INTO reserve VALUES (zeroblob(${PAGE_BYTES - 100}))`);
        for (let i = 0; i < RESERVED_PAGES; i++) insert.run();
      });
      // Changing pages writes them to the journal first, which keeps its size.
      db.exec(
        `UPDATE reserve SET filler = zeroblob(${PAGE_BYTES - 101}) WHERE rowid <= ${RESERVED_JOURNAL_PAGES}`,
      );
    } finally {
      db.exec("DROP TABLE IF EXISTS reserve");
    }
  }
}
