import { isAbsolute } from "node:path";
import type { CacheDirectory } from "./core-config.js";
import { parseSize } from "./size.js";

const MAX_CACHES = 100;

/**
 * Cache directories of a text such as `models=/srv/hub@200GB,pip=/srv/pip`; null for anything else. What follows the
 * last `@` is the budget unless it holds a slash: then it belongs to the path.
 */
export function parseCacheDirectories(text: string): readonly CacheDirectory[] | null {
  const caches: CacheDirectory[] = [];
  for (const part of text.split(",")) {
    const cache = parseOne(part.trim());
    if (cache === null || caches.some(({ name }) => name === cache.name)) return null;
    caches.push(cache);
  }
  return caches.length <= MAX_CACHES ? caches : null;
}

function parseOne(text: string): CacheDirectory | null {
  const [, name, rest] = /^([a-z0-9._-]{1,64})=(.+)$/su.exec(text) ?? [];
  if (name === undefined || rest === undefined || rest.includes("\0")) return null;
  const [, path = rest, size] = /^(.+)@([^@/]*)$/su.exec(rest) ?? [];
  const maxBytes = size === undefined ? null : parseSize(size);
  if (size !== undefined && maxBytes === null) return null;
  return isAbsolute(path) ? { name, path, maxBytes } : null;
}
