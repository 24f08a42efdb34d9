import type { ErrorDetail } from "@continuum/wire-types";
import { shorten } from "./shorten.js";

/** The longest text of a peer's that an error repeats, in characters: its megabyte isn't sent back to it. */
export const MAX_ECHO = 200;

/** A request that failed for a reason the peer can act on: becomes `error` and `errorDetail` of the reply. */
export class RequestError extends Error {
  override readonly name = "RequestError";

  constructor(
    message: string,
    readonly detail: ErrorDetail,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }

  /** What kind of failure it is: branch on this, never on the message. */
  get code(): ErrorDetail["kind"] {
    return this.detail.kind;
  }
}

/** A parameter with the right type and a value that can't be used. */
export function invalidParam(command: string, path: string, expected: string, value: unknown): RequestError {
  const got = shorten(String(value), MAX_ECHO);
  const text = `${command}: ${path}: expected ${expected}, got ${got}`;
  return new RequestError(text, { kind: "invalidParams", command, path, expected, got });
}
