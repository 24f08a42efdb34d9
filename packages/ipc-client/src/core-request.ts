import { ConnectionError, type ConnectionErrorCode } from "./connection-error.js";
import type { Expiring } from "./deadlines.js";
import type { EncodedRequest } from "./request-encoder.js";

/** The core's answer, undecoded. */
export interface CoreReply {
  readonly result: unknown;
  /** The raw bytes that came with it, the receiver's to keep; null without any. */
  readonly attachment: Buffer | null;
}

/** What a request is made of. */
export interface CoreRequestParts {
  readonly command: string;
  readonly encoded: EncodedRequest;
  /** Whether it may be sent again when nobody knows if it was executed. */
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  readonly resolve: (reply: CoreReply) => void;
  readonly reject: (error: Error) => void;
  /** Called once, before the promise is settled: whoever holds the request lets go of it. */
  readonly onSettled: (request: CoreRequest) => void;
}

/** One request on its way through waiting, sent, perhaps sent again, to settled. */
export class CoreRequest implements Expiring {
  deadlineTick: number | null = null;
  /** Its id on the connection that it was sent over; null while it waits. */
  id: number | null = null;
  /** How often it was written to a connection. */
  sendCount = 0;
  /** Since when it waits for a connection. */
  waitingSinceMs = 0;
  #isSettled = false;

  constructor(private readonly parts: CoreRequestParts) {}

  get command(): string {
    return this.parts.command;
  }

  get encoded(): EncodedRequest {
    return this.parts.encoded;
  }

  get idempotent(): boolean {
    return this.parts.idempotent;
  }

  /** Settles with the core's answer; later settlements are ignored. */
  succeed(reply: CoreReply): void {
    if (this.#settle()) this.parts.resolve(reply);
  }

  /** Settles with an error; later settlements are ignored. */
  fail(error: Error): void {
    if (this.#settle()) this.parts.reject(error);
  }

  /** Settles with a ConnectionError that says whether the request may have been executed. */
  failWith(code: ConnectionErrorCode, reason: string, cause?: unknown): void {
    const mayHaveExecuted = this.sendCount > 0;
    this.fail(new ConnectionError(code, reason, { mayHaveExecuted, cause }));
  }

  /** Settles with `timeout`. */
  expire(): void {
    this.failWith("timeout", `${this.command}: no answer within ${this.parts.timeoutMs} ms`);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.parts.onSettled(this);
    return true;
  }
}
