/** What kept a pool from answering: branch on this, never on the message. */
export type PoolErrorCode =
  | "unreachable"
  | "timeout"
  | "aborted"
  | "protocol"
  | "conflict"
  | "notFound"
  | "noSpace"
  | "denied"
  | "failed";

/** A failure of the world behind a pool (an engine, a file system), converted once at the adapter. */
export class PoolError extends Error {
  override readonly name = "PoolError";

  constructor(
    readonly code: PoolErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}
