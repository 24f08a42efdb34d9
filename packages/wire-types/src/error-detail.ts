import { DecodeError } from "./decode-error.js";
import {
  type CommandFailure,
  decodeCommandFailure,
  decodeDockerEvictionFailure,
  decodeResourceError,
  decodeShutdownFailure,
  type DockerEvictionFailure,
  type ResourceError,
  type ShutdownFailure,
} from "./gen/types.js";

/** The typed part of a failed reply, tagged by `kind`. */
export type ErrorDetail = ResourceError | CommandFailure | DockerEvictionFailure | ShutdownFailure;

/** Reads a reply's `errorDetail`; null when there is none, or one of a kind that this version doesn't know. */
export function decodeErrorDetail(value: unknown): ErrorDetail | null {
  for (const decode of [
    decodeResourceError,
    decodeCommandFailure,
    decodeDockerEvictionFailure,
    decodeShutdownFailure,
  ]) {
    try {
      return decode(value);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  }
  return null;
}
