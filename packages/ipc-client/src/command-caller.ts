import type { CommandName, CommandParams, CommandResult } from "@continuum/wire-types";

/** What a caller may say about one request. */
export interface CallOptions {
  /** Ends the request early; it then fails with a ConnectionError `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /** How long the request may take, connecting included, in milliseconds; the client's default when absent. */
  readonly timeoutMs?: number | undefined;
  /**
   * Where the reply's attachment is put, from its first byte on; the reply's `attachment` is then a view of it. One that
   * doesn't fit fails with a ConnectionError `tooSmall`, and nothing else is lost. The buffer is the client's until the
   * call is settled. Without it each attachment gets a buffer of its own.
   */
  readonly attachmentInto?: Uint8Array | undefined;
}

/** What a caller may say about an attachment that is streamed. */
export interface StreamOptions extends Omit<CallOptions, "attachmentInto"> {
  /**
   * Whether a chunk is only the caller's until it asks for the next one, as one does that iterates: the few chunks are used
   * again, and memory stays below 4 MiB. Chunks that are the caller's to keep are memory until they are collected, which
   * Node does when there are some 32 MiB of them. False. The stream is then one of objects: chunks are never joined.
   */
  readonly reuseChunks?: boolean | undefined;
}

/** Anything that can carry a command of the contract to the core: what the domain mixins stand on. */
export interface CommandCaller {
  call<C extends CommandName>(
    command: C,
    params: CommandParams<C>,
    options?: CallOptions,
  ): Promise<CommandResult<C>>;
}

/** A class, as TypeScript's mixins need it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a mixin's base must take any arguments (TS2545)
export type Constructor<T> = new (...args: any[]) => T;
