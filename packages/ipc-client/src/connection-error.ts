/**
 * What went wrong between this process and the core:
 * `refused` nobody listens there · `notFound` no such socket or host · `denied` no right to connect ·
 * `closed` the connection broke, or the client was closed · `timeout` the deadline passed · `aborted` the caller's signal ·
 * `protocol` the peer broke the protocol · `tooLarge` the request is over the limit · `overloaded` too many requests wait ·
 * `tooSmall` the reply's attachment doesn't fit the buffer that the caller gave.
 */
export type ConnectionErrorCode =
  | "refused"
  | "notFound"
  | "denied"
  | "closed"
  | "timeout"
  | "aborted"
  | "protocol"
  | "tooLarge"
  | "overloaded"
  | "tooSmall";

/** What a ConnectionError carries beside its text. */
export interface ConnectionErrorOptions {
  /** Whether the core may have executed the request all the same; false unless given. */
  readonly mayHaveExecuted?: boolean;
  readonly cause?: unknown;
}

/** A request that got no answer from the core, or a connection that couldn't be made. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
  /** True when the request had been sent: the core may have executed it, although no answer came. */
  readonly mayHaveExecuted: boolean;

  constructor(
    readonly code: ConnectionErrorCode,
    message: string,
    { mayHaveExecuted = false, cause }: ConnectionErrorOptions = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.mayHaveExecuted = mayHaveExecuted;
  }
}
