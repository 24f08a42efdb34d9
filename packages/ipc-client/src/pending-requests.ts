const FIRST_SIZE = 64;
/** Ids stay small integers, which both sides handle fastest. */
const MAX_ID = 2 ** 30;

interface Slot<T> {
  readonly id: number;
  readonly value: T;
}

/**
 * The requests in flight on one connection, in a ring indexed by their id. Ids are positive, ascending, unique among
 * those in flight, and start again after 2^30.
 */
export class PendingRequests<T> {
  #slots: (Slot<T> | undefined)[] = new Array<Slot<T> | undefined>(FIRST_SIZE);
  #lastId = 0;
  #size = 0;

  /** How many requests are in flight. */
  get size(): number {
    return this.#size;
  }

  /** Takes a request in and gives it its id. */
  add(value: T): number {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    let id = this.#nextId();
    // A slow request may still hold the slot: at most half of them are taken, so a free one is near.
    while (this.#slots[id & (this.#slots.length - 1)] !== undefined) id = this.#nextId();
    this.#slots[id & (this.#slots.length - 1)] = { id, value };
    this.#size += 1;
    return id;
  }

  /** A request in flight, left in; undefined when no request of this id is. */
  get(id: number): T | undefined {
    const slot = this.#slots[id & (this.#slots.length - 1)];
    return slot?.id === id ? slot.value : undefined;
  }

  /** Takes a request out; undefined when no request of this id is in flight. */
  take(id: number): T | undefined {
    const index = id & (this.#slots.length - 1);
    const slot = this.#slots[index];
    if (slot?.id !== id) return undefined;
    this.#slots[index] = undefined;
    this.#size -= 1;
    return slot.value;
  }

  /** Takes all requests out, in the order of their sending. */
  takeAll(): T[] {
    const all = this.#slots.filter((slot) => slot !== undefined).sort((a, b) => a.id - b.id);
    this.#slots = new Array<Slot<T> | undefined>(FIRST_SIZE);
    this.#size = 0;
    return all.map((slot) => slot.value);
  }

  #nextId(): number {
    this.#lastId = this.#lastId >= MAX_ID ? 1 : this.#lastId + 1;
    return this.#lastId;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Array<Slot<T> | undefined>(old.length * 2);
    // Two ids that differed below the old mask differ below the new one: no collisions.
    for (const slot of old) if (slot !== undefined) this.#slots[slot.id & (this.#slots.length - 1)] = slot;
  }
}
