/** Why a delivery failed: branch on this, never on the message. */
export type SinkErrorCode =
  /** The receiver can't be reached, or answers that it can't just now. */
  | "unavailable"
  /** It took too long. */
  | "timeout"
  /** The receiver won't have this message, now or later. */
  | "refused"
  /** The core stops. */
  | "aborted";

/** A delivery that failed; the message is one line for a person, without anything secret. */
export class SinkError extends Error {
  override readonly name = "SinkError";
  /** How long the receiver asked to be left alone, in ms; null when it didn't. */
  readonly retryAfterMs: number | null;

  constructor(
    readonly code: SinkErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number | null } = {},
  ) {
    super(message, options);
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
