import type { ErrorDetail } from "@continuum/wire-types";

/** The core's refusal of a command: it was reached, it answered, and the answer is a failure. */
export class CommandError extends Error {
  override readonly name = "CommandError";

  /** `errorDetail` is null when the core gave none, or one of a kind that this version doesn't know. */
  constructor(
    readonly command: string,
    message: string,
    readonly errorDetail: ErrorDetail | null,
  ) {
    super(message);
  }
}
