const FIRST_SIZE = 64;
/** Ids stay small integers, which both sides handle fastest. */
const MAX_ID = 2 ** 30;

/** What can be in flight. */
export interface Pending {
  /** Its id while it is in flight; null otherwise. Owned by the `PendingRequests` that it is in. */
  id: number | null;
}

/**
 * The requests in flight on one connection, in a ring indexed by their id. Ids are positive, ascending, unique among
 * those in flight, and start again after 2^30.
 */
export class PendingRequests<T extends Pending> {
  #slots: (T | undefined)[] = new Array<T | undefined>(FIRST_SIZE);
  #lastId = 0;
  #size = 0;

  /** How many requests are in flight. */
  get size(): number {
    return this.#size;
  }

  /** Takes a request in and gives it its id. */
  add(request: T): number {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    let id = this.#nextId();
    // A slow request may still hold the slot: at most half of them are taken, so a free one is near.
    while (this.#slots[id & (this.#slots.length - 1)] !== undefined) id = this.#nextId();
    this.#slots[id & (this.#slots.length - 1)] = request;
    request.id = id;
    this.#size += 1;
    return id;
  }

  /** A request in flight, left in; undefined when no request of this id is. */
  get(id: number): T | undefined {
    const request = this.#slots[id & (this.#slots.length - 1)];
    return request?.id === id ? request : undefined;
  }

  /** Takes a request out; undefined when no request of this id is in flight. */
  take(id: number): T | undefined {
    const index = id & (this.#slots.length - 1);
    const request = this.#slots[index];
    if (request?.id !== id) return undefined;
    this.#slots[index] = undefined;
    this.#size -= 1;
    request.id = null;
    return request;
  }

  /** Takes all requests out, in the order of their sending. */
  takeAll(): T[] {
    const all = this.#slots.filter((request) => request !== undefined);
    all.sort((a, b) => (a.id ?? 0) - (b.id ?? 0));
    this.#slots = new Array<T | undefined>(FIRST_SIZE);
    this.#size = 0;
    for (const request of all) request.id = null;
    return all;
  }

  #nextId(): number {
    this.#lastId = this.#lastId >= MAX_ID ? 1 : this.#lastId + 1;
    return this.#lastId;
  }

  #grow(): void {
    const old = this.#slots;
    const slots = new Array<T | undefined>(old.length * 2);
    // Two ids that differed below the old mask differ below the new one: no collisions.
    for (const request of old)
      if (request !== undefined) slots[(request.id ?? 0) & (slots.length - 1)] = request;
    this.#slots = slots;
  }
}
