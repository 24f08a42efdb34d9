import type { CoreRequest } from "./core-request.js";

/**
 * Requests in the order in which they are to be sent, any of which may leave. The requests themselves are the links, and
 * let go of each other when they leave: the tables of a Set that sees many come and go point to their successors, and
 * one that outlived a garbage collection drags all that follow, dead or alive, into the old generation.
 */
export class RequestQueue implements Iterable<CoreRequest> {
  #first: CoreRequest | null = null;
  #last: CoreRequest | null = null;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The one to be sent next; null when there is none. */
  get first(): CoreRequest | null {
    return this.#first;
  }

  /** Adds a request that is in no queue at the end. */
  add(request: CoreRequest): void {
    request.isQueued = true;
    request.previousQueued = this.#last;
    if (this.#last === null) this.#first = request;
    else this.#last.nextQueued = request;
    this.#last = request;
    this.#size += 1;
  }

  /** Takes a request out, if it is in. */
  delete(request: CoreRequest): void {
    if (!request.isQueued) return;
    const { previousQueued: previous, nextQueued: next } = request;
    if (previous === null) this.#first = next;
    else previous.nextQueued = next;
    if (next === null) this.#last = previous;
    else next.previousQueued = previous;
    request.isQueued = false;
    request.previousQueued = null;
    request.nextQueued = null;
    this.#size -= 1;
  }

  /** Takes all requests out, in order. */
  takeAll(): CoreRequest[] {
    const all = [...this];
    for (const request of all) this.delete(request);
    return all;
  }

  /** All requests in order; none may leave meanwhile. */
  *[Symbol.iterator](): Iterator<CoreRequest> {
    for (let request = this.#first; request !== null; request = request.nextQueued) yield request;
  }
}
