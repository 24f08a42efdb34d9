import { ConnectionError, type ConnectionErrorCode } from "./connection-error.js";
import { Expiring } from "./deadlines.js";
import type { AttachmentSink } from "./frame-decoder.js";
import type { Pending } from "./pending-requests.js";
import type { EncodedRequest } from "./request-encoder.js";

/** The core's answer, undecoded. */
export interface CoreReply {
  readonly result: unknown;
  /** The raw bytes that came with it, the receiver's to keep; null without any. */
  readonly attachment: Buffer | null;
}

/** Holds back what a peer sends, for somebody who takes it slowly. */
export interface Flow {
  pause(): void;
  resume(): void;
}

/** What a request is made of. */
export interface CoreRequestParts {
  readonly command: string;
  readonly encoded: EncodedRequest;
  /** Whether it may be sent again when nobody knows if it was executed. */
  readonly idempotent: boolean;
  readonly timeoutMs: number;
  /** Ends it early; not aborted yet. */
  readonly signal?: AbortSignal | undefined;
  /** Where an attachment is to be put; a buffer of its own when absent. */
  readonly attachmentInto?: Uint8Array | undefined;
  /** Takes the attachment as it comes; the request is settled when it begins. */
  readonly openAttachment?: ((bytes: number, flow: Flow) => AttachmentSink) | undefined;
  /** Makes of the core's reply what the caller gets; what it throws, the caller gets. */
  readonly decode: (reply: CoreReply) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Whoever holds requests. */
export interface CoreRequestOwner {
  /** Called once for each request, before its promise is settled: let go of it. */
  onSettled(request: CoreRequest): void;
}

/** One request on its way through waiting, sent, perhaps sent again, to settled. */
export class CoreRequest extends Expiring implements Pending {
  /** Owned by the RequestQueue that it is in, as are the next two. */
  isQueued = false;
  previousQueued: CoreRequest | null = null;
  nextQueued: CoreRequest | null = null;
  /** Its id on the connection that it was sent over, owned by its `PendingRequests`; null while it waits. */
  id: number | null = null;
  /** How often it was written to a connection. */
  sendCount = 0;
  /** Since when it waits for a connection. */
  waitingSinceMs = 0;
  #isSettled = false;
  #onAbort: (() => void) | null = null;

  constructor(
    private readonly parts: CoreRequestParts,
    private readonly owner: CoreRequestOwner,
  ) {
    super();
    const { signal, command } = parts;
    if (signal === undefined) return;
    this.#onAbort = () => this.failWith("aborted", `${command} was aborted`, signal.reason);
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  get command(): string {
    return this.parts.command;
  }

  get encoded(): EncodedRequest {
    return this.parts.encoded;
  }

  get attachmentInto(): Uint8Array | undefined {
    return this.parts.attachmentInto;
  }

  get openAttachment(): CoreRequestParts["openAttachment"] {
    return this.parts.openAttachment;
  }

  get idempotent(): boolean {
    return this.parts.idempotent;
  }

  /** Settles with the core's answer; later settlements are ignored. */
  succeed(reply: CoreReply): void {
    if (!this.#settle()) return;
    let value: unknown;
    try {
      value = this.parts.decode(reply);
    } catch (error) {
      this.parts.reject(error as Error);
      return;
    }
    this.parts.resolve(value);
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
    if (this.#onAbort !== null) this.parts.signal?.removeEventListener("abort", this.#onAbort);
    this.owner.onSettled(this);
    return true;
  }
}
