/** Why a state file can't be used: another core has it, a newer version wrote it, or the disk won't have it. */
export type StateErrorCode = "locked" | "damaged" | "unwritable" | "full" | "newer";

/** What the database and the file system say when the file can't be used; anything else is a bug. */
const FOREIGN = /^(?:SQLITE_|E[A-Z]+$)/u;

/** A state file that can't be used. */
export class StateError extends Error {
  override readonly name = "StateError";

  constructor(
    readonly code: StateErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

/** What a failure of the database or of the file system means for the state; throws what is neither. */
export function toStateError(error: unknown, path: string): StateError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const text = error instanceof Error ? error.message : String(error);
  const cause = { cause: error };
  if (/^SQLITE_(BUSY|LOCKED)/u.test(code) || /database is locked/iu.test(text)) {
    return new StateError("locked", `${path} belongs to another core that runs`, cause);
  }
  if (code === "EISDIR") return new StateError("damaged", `${path} is a directory, not a file`, cause);
  if (/^SQLITE_(CORRUPT|NOTADB|IOERR_SHORT_READ)/u.test(code) || /malformed|not a database/iu.test(text)) {
    return new StateError("damaged", `${path} is damaged: ${text}`, cause);
  }
  if (/^SQLITE_FULL|ENOSPC/u.test(code) || /disk is full|no space left/iu.test(text)) {
    return new StateError("full", `there is no space left for ${path}`, cause);
  }
  if (!FOREIGN.test(code) && !/sqlite|database/iu.test(text)) throw error;
  return new StateError("unwritable", `${path} can't be written: ${text}`, cause);
}
