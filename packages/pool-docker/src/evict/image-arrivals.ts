import { join } from "node:path";
import type { EngineInfo } from "../engine/engine-replies.js";
import { usesContainerdStore } from "../probe/engine-root.js";
import type { HostFiles } from "../probe/host-files.js";

/**
 * When images came to this machine.
 *
 * The engine doesn't say it of pulled images: `Created` is the time of their build, and `LastTagTime` stays unset by a
 * pull (20.10). The graph driver's database writes one file for each image when it arrives, whose time of modification
 * says it; where that can't be read, an image counts as arrived when it was first seen here.
 */
export class ImageArrivals {
  readonly #files: HostFiles;
  readonly #firstSeen = new Map<string, number>();

  constructor(files: HostFiles) {
    this.#files = files;
  }

  /**
   * Arrival in Unix milliseconds: from the engine's files, or else when it was first seen here; null for an image whose
   * tagging is known, which says enough where the files can't be read.
   */
  async arrivedAt(
    { id, taggedAtMs }: { readonly id: string; readonly taggedAtMs: number | null },
    info: Pick<EngineInfo, "DockerRootDir" | "Driver" | "DriverStatus">,
    nowMs: number,
  ): Promise<number | null> {
    const firstSeenMs = this.#firstSeen.get(id) ?? nowMs;
    this.#firstSeen.set(id, firstSeenMs);
    const unknown = taggedAtMs === null ? firstSeenMs : null;
    const hex = /^sha256:([0-9a-f]{64})$/.exec(id)?.[1];
    if (hex === undefined || usesContainerdStore(info)) return unknown;
    const path = join(info.DockerRootDir, "image", info.Driver, "imagedb/content/sha256", hex);
    try {
      return Math.round((await this.#files.stat(path)).mtimeMs);
    } catch {
      return unknown;
    }
  }

  /** Forgets images that are gone. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#firstSeen.keys()) if (!ids.has(id)) this.#firstSeen.delete(id);
  }
}
