import type { DockerEvictionFailure } from "@continuum/wire-types";

/** Why an eviction that a person asked for wasn't begun; `detail` is what goes over the wire. */
export class EvictionError extends Error {
  override readonly name = "EvictionError";

  constructor(
    message: string,
    readonly detail: DockerEvictionFailure,
  ) {
    super(message);
  }

  /** Branch on this, never on the message. */
  get code(): DockerEvictionFailure["kind"] {
    return this.detail.kind;
  }
}
