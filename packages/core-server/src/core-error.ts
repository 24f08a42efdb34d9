/** Why the core can't start or run: branch on this, never on the message. */
export type CoreErrorCode =
  /** A flag or an environment variable has a value that can't be used. */
  | "usage"
  /** Another core answers on the endpoint. */
  | "alreadyRunning"
  /** The endpoint can't be listened on: rights, a file in the way, an address in use. */
  | "listen"
  /** A service module failed to start. */
  | "moduleFailed"
  /** Commands and handlers don't match: a bug of this build. */
  | "routes";

/** A failure of the core as a whole; the message is one line for a person. */
export class CoreError extends Error {
  override readonly name = "CoreError";

  constructor(
    readonly code: CoreErrorCode,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}
