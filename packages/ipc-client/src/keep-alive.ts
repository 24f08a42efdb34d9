/**
 * What keeps the process alive while somebody waits for something, and lets it end otherwise. The client's sockets
 * and timers are all unref'd: this is the only place that decides.
 */
export class KeepAlive {
  #count = 0;
  #timer: NodeJS.Timeout | null = null;

  /** One more waits. */
  acquire(): void {
    this.#count += 1;
    if (this.#count > 1) return;
    if (this.#timer === null) this.#timer = setInterval(() => undefined, 2 ** 31 - 1);
    else this.#timer.ref();
  }

  /** One fewer waits. */
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
