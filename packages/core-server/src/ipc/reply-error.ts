import type { ErrorDetail } from "@continuum/wire-types";
import { toErrorText } from "../error-text.js";
import { RequestError } from "../request-error.js";

/** What a failed request is answered with. */
export interface ReplyError {
  readonly text: string;
  readonly detail: ErrorDetail;
  /** True for a bug or an outage of the core's own: the log gets it in full, the peer only its text. */
  readonly isInternal: boolean;
}

/** Turns whatever a handler threw into a reply. */
export function toReplyError(error: unknown, command: string): ReplyError {
  if (error instanceof RequestError) {
    return { text: error.message, detail: error.detail, isInternal: false };
  }
  const message = toErrorText(error);
  return {
    text: `${command} failed: ${message}`,
    detail: { kind: "internal", message },
    isInternal: true,
  };
}
