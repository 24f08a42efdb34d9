import { open, readFile, rename } from "node:fs/promises";
import { TRASH_PREFIX } from "./cache-scan.js";
import { isGone, systemCode } from "./file-error.js";
import { type SafeDirectory, splitRelative } from "./safe-directory.js";
import { parseTrashRecord, type TrashRecord } from "./trash-record.js";

const RECORD = "record.json";
/** The record while it is written: a kill leaves a part of it under this name, never under its own. */
const UNFINISHED_RECORD = "record.json.new";
const COMMITTED = "committed";
const ITEMS = "items";

/**
 * A directory inside the cache's root that holds one entry while it is evicted. Until `commit` everything in it can be
 * put back, also by a later process; after it nothing is put back any more, and what is left is deleted.
 */
export class Trash {
  readonly name: string;

  private constructor(
    private readonly root: SafeDirectory,
    readonly record: TrashRecord,
  ) {
    this.name = `${TRASH_PREFIX}${record.id}`;
  }

  /** Makes the directory, with the record on the disk. Rejects with the system's error, and leaves nothing then. */
  static async create(root: SafeDirectory, record: TrashRecord): Promise<Trash> {
    const trash = new Trash(root, record);
    if (!(await root.make(trash.name))) throw new Error(`${trash.name} is there already`);
    try {
      await using directory = await root.descend(trash.name);
      await directory.make(ITEMS);
      await writeDurably(directory.at(UNFINISHED_RECORD), JSON.stringify(record));
      await rename(directory.at(UNFINISHED_RECORD), directory.at(RECORD));
      return trash;
    } catch (error) {
      await root.remove(trash.name);
      throw error;
    }
  }

  /** The trash of an earlier process; null when it has no record, `foreign` when it has one that isn't ours. */
  static async open(root: SafeDirectory, name: string): Promise<Trash | "foreign" | null> {
    try {
      await using directory = await root.descend(name);
      const record = parseTrashRecord(await readFile(directory.at(RECORD), "utf8"));
      return record !== null && `${TRASH_PREFIX}${record.id}` === name ? new Trash(root, record) : "foreign";
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }

  /** Where the item of a path of the record stands, relative to the root. */
  itemPath(index: number): string {
    return `${this.name}/${ITEMS}/${index}`;
  }

  /** Moves everything of the record in; what isn't there any more is left out. */
  async moveIn(): Promise<void> {
    await using items = await this.root.descend(`${this.name}/${ITEMS}`);
    await this.#inEachParent([...this.record.paths.keys()], async (from, name, i) => {
      if (from !== null) await from.move(name, items, `${i}`);
    });
  }

  /**
   * Puts everything back, what came last first, and removes the directory. What has been made anew meanwhile, or whose
   * directory has gone, can't be put back; it is deleted, and its paths are given.
   */
  async putBack(): Promise<readonly string[]> {
    const lost: string[] = [];
    {
      await using items = await this.root.descend(`${this.name}/${ITEMS}`);
      const there = new Set(await items.names());
      const indices = [...this.record.paths.keys()].reverse().filter((i) => there.has(`${i}`));
      await this.#inEachParent(indices, async (to, name, i) => {
        if (to === null || !(await items.move(`${i}`, to, name))) lost.push(this.record.paths[i] ?? "");
      });
    }
    await this.root.remove(this.name);
    return lost;
  }

  /** From now on nothing of it is put back. */
  async commit(): Promise<void> {
    await using directory = await this.root.descend(this.name);
    await writeDurably(directory.at(COMMITTED), "");
  }

  /** Whether it was committed. */
  async isCommitted(): Promise<boolean> {
    await using directory = await this.root.descend(this.name);
    return (await directory.names()).includes(COMMITTED);
  }

  /** Deletes what was moved in, while the record stays. */
  async empty(): Promise<void> {
    await using directory = await this.root.descend(this.name);
    await directory.remove(ITEMS);
  }

  /** Removes the directory with its record. */
  async discard(): Promise<void> {
    await this.root.remove(this.name);
  }

  /**
   * Runs `run` for paths of the record with the directory that each is in, which is opened once for all that follow each
   * other in it; null when it, or what is looked for in it, has gone.
   */
  async #inEachParent(
    indices: readonly number[],
    run: (parent: SafeDirectory | null, name: string, index: number) => Promise<void>,
  ): Promise<void> {
    const runs: { readonly parent: string; readonly items: { name: string; index: number }[] }[] = [];
    for (const index of indices) {
      const { parent, name } = splitPath(this.record.paths[index] ?? "");
      const last = runs.at(-1);
      if (last?.parent === parent) last.items.push({ name, index });
      else runs.push({ parent, items: [{ name, index }] });
    }
    for (const { parent, items } of runs) {
      await using directory = await descendIfThere(this.root, parent);
      for (const { name, index } of items) {
        try {
          await run(directory, name, index);
        } catch (error) {
          if (!isGone(error)) throw error;
          await run(null, name, index);
        }
      }
    }
  }
}

/** The directory and the name of a relative path. */
export function splitPath(path: string): { readonly parent: string; readonly name: string } {
  const parts = splitRelative(path);
  return { parent: parts.slice(0, -1).join("/"), name: parts.at(-1) ?? "" };
}

async function descendIfThere(root: SafeDirectory, path: string): Promise<SafeDirectory | null> {
  try {
    return await root.descend(path);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } catch (error) {
    // Some filesystems have no way to sync; that is no reason not to go on.
    if (systemCode(error) !== "EINVAL") throw error;
  } finally {
    await file.close();
  }
}
