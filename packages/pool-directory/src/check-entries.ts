import type { CacheEntry } from "./cache-entry.js";
import { countUsers } from "./choose-entries.js";
import { addChecksums } from "./walk-tree.js";

/** What goes with an entry, relative to the root, with the checksum of its files. */
export interface Going {
  readonly paths: readonly string[];
  /** Of the files below its key and of the parts that go with it. */
  readonly checksum: number;
}

/** A new look at entries that are to go. */
export class EntryCheck {
  readonly #found: ReadonlyMap<string, CacheEntry>;
  readonly #users: Map<string, number>;

  /** `found` is all that may share parts with them, as it is now. */
  constructor(found: readonly CacheEntry[]) {
    this.#found = new Map(found.map((entry) => [entry.key, entry]));
    this.#users = countUsers(found);
  }

  /** What goes with an entry now, its parts with the last one that uses them; or why it must stay. */
  whatGoes(entry: CacheEntry): Going | { readonly stays: string } {
    const now = this.#found.get(entry.key);
    if (now === undefined) return { stays: "it has gone" };
    if (now.keepReason !== null) return { stays: now.keepReason };
    if (now.checksum !== entry.checksum || checksumOf(now.parts) !== checksumOf(entry.parts)) {
      return { stays: "it has changed or was used since" };
    }
    const parts = now.parts.filter(({ path }) => this.#users.get(path) === 1);
    return {
      paths: [...now.paths, ...parts.map(({ path }) => path)],
      checksum: addChecksums(now.checksum, checksumOf(parts)),
    };
  }

  /** It has been taken out: what it shared with others may go with them. */
  taken({ key }: CacheEntry): void {
    for (const { path } of this.#found.get(key)?.parts ?? []) {
      this.#users.set(path, (this.#users.get(path) ?? 1) - 1);
    }
  }
}

function checksumOf(parts: CacheEntry["parts"]): number {
  return parts.reduce((sum, { checksum }) => addChecksums(sum, checksum), 0);
}
