import type { CallOptions } from "@continuum/ipc-client";

/** A command as a host server runs it: one call to the core, a typed result or a thrown typed error. */
export interface ServerCommand<Params, Result> {
  /** The command's name, `system/docker-tier-stats`. */
  readonly name: string;
  execute(params: Params, options?: CallOptions): Promise<Result>;
}
