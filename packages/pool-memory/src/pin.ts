/** A hold on one value: while it lasts the value isn't evicted and not disposed of. */
export interface Pin<V> extends Disposable {
  readonly value: V;
  /** Lets go; a second call does nothing. */
  release(): void;
}

/** A pin that tells `holder` once when it is released. */
export class EntryPin<E extends { readonly value: V }, V> implements Pin<V> {
  /** Not read from the entry: that may have another value after the release. */
  readonly value: V;
  #holder: { unpin(entry: E): void } | null;

  constructor(
    private readonly entry: E,
    holder: { unpin(entry: E): void },
  ) {
    this.value = entry.value;
    this.#holder = holder;
  }

  release(): void {
    const holder = this.#holder;
    this.#holder = null;
    holder?.unpin(this.entry);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
