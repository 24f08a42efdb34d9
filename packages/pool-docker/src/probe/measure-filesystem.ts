import { type InodeUse, PoolError } from "@continuum/broker-core";
import type { HostFiles } from "./host-files.js";

/** A filesystem's figures in bytes, as `df` has them. */
export interface FilesystemUse {
  readonly usedBytes: number;
  /** Free for everyone, without what is reserved for root. */
  readonly availableBytes: number;
  /** `used + available`: what `df` takes its percentage of. */
  readonly capacityBytes: number;
  /** Null where inodes are made as they are needed (btrfs says 0 of them). */
  readonly inodes: InodeUse | null;
}

/** Measures the filesystem that holds a path. */
export async function measureFilesystem(files: HostFiles, path: string): Promise<FilesystemUse> {
  const { bsize, blocks, bfree, bavail, files: inodes, ffree } = await files.statfs(path);
  const usedBytes = (blocks - bfree) * bsize;
  const availableBytes = bavail * bsize;
  const capacityBytes = usedBytes + availableBytes;
  if (!Number.isSafeInteger(capacityBytes) || usedBytes < 0 || availableBytes < 0 || capacityBytes === 0) {
    throw new PoolError(
      "protocol",
      `statfs of ${path} gives no usable figures: ${blocks} blocks of ${bsize} bytes, ${bfree} free`,
    );
  }
  const areKnown = Number.isSafeInteger(inodes) && inodes > 0 && ffree >= 0 && ffree <= inodes;
  return {
    usedBytes,
    availableBytes,
    capacityBytes,
    inodes: areKnown ? { usedInodes: inodes - ffree, capacityInodes: inodes } : null,
  };
}
