/**
 * What keeps the process alive while a subscription or a stream is open, and lets it end otherwise. The client's sockets
 * never do; its requests do by their deadlines.
 */
export class KeepAlive {
  #count = 0;
  #timer: NodeJS.Timeout | null = null;

  /** One more is open. */
  acquire(): void {
    this.#count += 1;
    if (this.#count > 1) return;
    if (this.#timer === null) this.#timer = setInterval(() => undefined, 2 ** 31 - 1);
    else this.#timer.ref();
  }

  /** One fewer is open. */
  release(): void {
    this.#count -= 1;
    if (this.#count === 0) this.#timer?.unref();
  }

  /** Stops the timer. */
  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}
