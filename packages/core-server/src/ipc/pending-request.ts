import type { RequestConnection, RequestContext } from "../runtime/command-handlers.js";

/** The connection of a request, as its deadline sees it. */
export interface Requester extends RequestConnection {
  expireRequest(pending: PendingRequest): void;
}

/** A request in flight; what its handler gets to know of it. */
export class PendingRequest implements RequestContext {
  #controller: AbortController | null = null;
  #abortReason: Error | null = null;
  readonly #onAborted: ((reason: Error) => void)[] = [];

  constructor(
    readonly command: string,
    readonly requestId: number | null,
    readonly connection: Requester,
  ) {}

  /** Made when it is first asked for: most handlers answer without it. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#abortReason !== null) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  onAborted(run: (reason: Error) => void): void {
    if (this.#abortReason === null) this.#onAborted.push(run);
    else run(this.#abortReason);
  }

  /** Tells the handler that nobody waits for it any more. */
  abort(reason: Error): void {
    if (this.#abortReason !== null) return;
    this.#abortReason = reason;
    this.#controller?.abort(reason);
    for (const run of this.#onAborted.splice(0)) run(reason);
  }
}
