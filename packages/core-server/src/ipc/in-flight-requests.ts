import type { DeadlineList } from "./deadline-list.js";
import type { IpcLoad } from "./ipc-load.js";
import type { PendingRequest } from "./pending-request.js";

/** Who else follows what is in flight. */
export interface InFlightHost {
  readonly load: Pick<IpcLoad, "begin" | "end">;
  readonly requestDeadlines: Pick<DeadlineList<PendingRequest>, "add" | "delete">;
}

const FIRST_BUCKETS = 16;

/**
 * The requests of one connection that wait for their answer, found by the ids that the peer chose.
 *
 * A hash table whose entries are the requests themselves, linked within their bucket: nothing is made for a request, and
 * nothing of one that was answered is left behind (see `DeadlineList` for what the tables of Sets and Maps do here).
 */
export class InFlightRequests {
  /** The first of each bucket; their number is a power of two, or there are none before the first request waits. */
  #buckets: (PendingRequest | null)[] = [];
  #size = 0;

  constructor(private readonly host: InFlightHost) {}

  get size(): number {
    return this.#size;
  }

  /** Whether a request of this id waits. */
  hasId(requestId: number): boolean {
    if (this.#size === 0) return false;
    let entry = this.#buckets[this.#indexOf(requestId)] ?? null;
    while (entry !== null && entry.requestId !== requestId) entry = entry.nextInBucket;
    return entry !== null;
  }

  /** Takes in a request that isn't in; its deadline runs from now on. */
  add(request: PendingRequest): void {
    if (this.#size >= this.#buckets.length) this.#grow();
    this.#link(request);
    this.#size += 1;
    this.host.load.begin();
    this.host.requestDeadlines.add(request.deadline);
  }

  /** Takes a request out; false when it isn't in. */
  delete(request: PendingRequest): boolean {
    if (!request.isInFlight) return false;
    const { previousInBucket: previous, nextInBucket: next } = request;
    if (previous === null) this.#buckets[this.#indexOf(request.requestId)] = next;
    else previous.nextInBucket = next;
    if (next !== null) next.previousInBucket = previous;
    request.isInFlight = false;
    request.previousInBucket = null;
    request.nextInBucket = null;
    this.#size -= 1;
    this.host.load.end(1);
    this.host.requestDeadlines.delete(request.deadline);
    return true;
  }

  /** Takes all requests out, and tells their handlers that nobody waits for them any more. */
  abortAll(reason: Error): void {
    for (const request of this.list()) if (this.delete(request)) request.abort(reason);
  }

  /** All requests, in no order. */
  list(): PendingRequest[] {
    const all: PendingRequest[] = [];
    for (const first of this.#buckets)
      for (let entry = first; entry !== null; entry = entry.nextInBucket) all.push(entry);
    return all;
  }

  #link(request: PendingRequest): void {
    const index = this.#indexOf(request.requestId);
    const first = this.#buckets[index] ?? null;
    request.isInFlight = true;
    request.previousInBucket = null;
    request.nextInBucket = first;
    if (first !== null) first.previousInBucket = request;
    this.#buckets[index] = request;
  }

  #grow(): void {
    const all = this.list();
    this.#buckets = newBuckets(Math.max(FIRST_BUCKETS, this.#buckets.length * 2));
    for (const request of all) this.#link(request);
  }

  /** Ids are mostly consecutive: their low bits spread them best. Those without an id share the first bucket. */
  #indexOf(requestId: number | null): number {
    return (requestId ?? 0) & (this.#buckets.length - 1);
  }
}

function newBuckets(count: number): (PendingRequest | null)[] {
  return new Array<PendingRequest | null>(count).fill(null);
}
