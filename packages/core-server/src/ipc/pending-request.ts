import type { RequestConnection, RequestContext } from "../runtime/command-handlers.js";
import { Deadline } from "./deadline-list.js";

/** The connection of a request, as its deadline sees it. */
export interface Requester extends RequestConnection {
  expireRequest(pending: PendingRequest): void;
}

/** A request in flight; what its handler gets to know of it. */
export class PendingRequest implements RequestContext {
  #deadline: Deadline<PendingRequest> | null = null;
  /** Owned by the InFlightRequests that it is in, as the next two. */
  isInFlight = false;
  previousInBucket: PendingRequest | null = null;
  nextInBucket: PendingRequest | null = null;
  #controller: AbortController | null = null;
  #abortReason: Error | null = null;
  #onAborted: ((reason: Error) => void)[] | null = null;

  constructor(
    readonly command: string,
    readonly requestId: number | null,
    readonly connection: Requester,
  ) {}

  /** Made for a request that has to wait: one that is answered at once has none. */
  get deadline(): Deadline<PendingRequest> {
    return (this.#deadline ??= new Deadline<PendingRequest>(this));
  }

  /** Made when it is first asked for: most handlers answer without it. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  onAborted(run: (reason: Error) => void): void {
    if (this.#abortReason !== null) run(this.#abortReason);
    else if (this.#onAborted === null) this.#onAborted = [run];
    else this.#onAborted.push(run);
  }

  /** Tells the handler that nobody waits for it any more. */
  abort(reason: Error): void {
    if (this.#abortReason !== null) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
    const onAborted = this.#onAborted ?? [];
    this.#onAborted = null;
    for (const run of onAborted) run(reason);
  }
}
