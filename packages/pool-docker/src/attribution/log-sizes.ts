import { dirname, join } from "node:path";
import { PoolError } from "@continuum/broker-core";
import type { HostFiles } from "../probe/host-files.js";
import type { LogSizes } from "./attribute-usage.js";

const INSPECT_AT_ONCE = 4;
/** Logs of more containers aren't looked at. */
const MAX_LOGS = 500;
/** A log and its older parts. */
const MAX_LOG_PARTS = 20;

/** What is read of a container's details to find its log. */
export interface LoggedContainer {
  /** Only logs of the driver `json-file` are told; "" for all others, and before the first start. */
  readonly LogPath?: string | null | undefined;
  /** A file in the engine's directory of the container; "" before the first start. */
  readonly ResolvConfPath?: string | null | undefined;
  readonly State?: { readonly Status: string } | undefined;
  readonly HostConfig?:
    | { readonly LogConfig?: { readonly Type?: string | null | undefined } | null | undefined }
    | null
    | undefined;
}

/** What reading logs' sizes needs. */
export interface LogSizesOptions {
  readonly inspect: (id: string) => Promise<LoggedContainer>;
  readonly files: Pick<HostFiles, "stat">;
}

/**
 * What containers' logs take up on disk, with their rotated parts; null for one that can't be seen from here (an engine
 * in a virtual machine, no permission) and for all beyond the first 500. Throws the engine's PoolErrors.
 */
export async function readLogSizes(
  ids: readonly string[],
  { inspect, files }: LogSizesOptions,
): Promise<LogSizes> {
  const sizes = new Map<string, number | null>(ids.map((id) => [id, null]));
  const queue = ids.slice(0, MAX_LOGS);
  const work = async (): Promise<void> => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
      try {
        sizes.set(id, await logBytes(await inspect(id), files));
      } catch (error) {
        if (error instanceof PoolError && error.code === "notFound") {
          sizes.set(id, 0);
          continue;
        }
        // The others have nothing to go on for.
        queue.length = 0;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: INSPECT_AT_ONCE }, work));
  return sizes;
}

async function logBytes(container: LoggedContainer, files: Pick<HostFiles, "stat">): Promise<number | null> {
  const driver = container.HostConfig?.LogConfig?.Type ?? "";
  if (driver === "none" || container.State?.Status === "created") return 0;
  const told = container.LogPath ?? "";
  if (told !== "") return await sumOfParts(told, files);
  const anyFile = container.ResolvConfPath ?? "";
  if (anyFile === "") return null;
  // The driver `local` keeps its files where the engine doesn't tell; a driver that sends logs away may keep a copy.
  const dir = dirname(anyFile);
  if (driver === "local") return await sumOfParts(join(dir, "local-logs", "container.log"), files);
  const copy = await sumOfParts(join(dir, "container-cached.log"), files);
  if (copy !== null) return copy;
  // No copy only where one would be seen.
  return typeof (await allocatedBytes(anyFile, files)) === "number" ? 0 : null;
}

/** A log with its older parts; null when it isn't there or nobody may look. */
async function sumOfParts(path: string, files: Pick<HostFiles, "stat">): Promise<number | null> {
  let bytes = await allocatedBytes(path, files);
  if (bytes === "missing" || bytes === null) return null;
  for (let part = 1; part < MAX_LOG_PARTS; part++) {
    let found = await allocatedBytes(`${path}.${part}`, files);
    if (found === "missing") found = await allocatedBytes(`${path}.${part}.gz`, files);
    if (found === "missing") break;
    if (found === null) return null;
    bytes += found;
  }
  return bytes;
}

async function allocatedBytes(
  path: string,
  files: Pick<HostFiles, "stat">,
): Promise<number | null | "missing"> {
  try {
    const { blocks } = await files.stat(path);
    return blocks * 512;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    // Whatever else keeps it from being read (permission, a mount that hangs): its size isn't known.
    return isMissing ? "missing" : null;
  }
}
