import { PoolError, type PoolErrorCode } from "@continuum/broker-core";

const CODES: Readonly<Record<string, PoolErrorCode>> = {
  ENOENT: "notFound",
  ENOTDIR: "notFound",
  ELOOP: "notFound",
  EACCES: "denied",
  EPERM: "denied",
  EROFS: "denied",
  ENOSPC: "noSpace",
  EDQUOT: "noSpace",
};

/** The system's code of a failed call (`ENOENT`); null for any other error. */
export function systemCode(error: unknown): string | null {
  if (!(error instanceof Error) || error instanceof PoolError) return null;
  return "code" in error && typeof error.code === "string" ? error.code : null;
}

/** Whether a path wasn't there, or wasn't what it was taken for: it went while one looked. */
export function isGone(error: unknown): boolean {
  return CODES[systemCode(error) ?? ""] === "notFound";
}

/** A failed call of the filesystem as a PoolError; anything else is given back as it is. */
export function toPoolError(error: unknown, what: string): unknown {
  const code = systemCode(error);
  if (code === null) return error;
  return new PoolError(CODES[code] ?? "failed", `${what}: ${code}`, { cause: error });
}
