/** Whether a module answers: requests wait for it to start, and fail when it never will. */
export class Readiness {
  isReady = false;
  readonly promise: Promise<void>;
  #begin = (): void => undefined;
  #fail: (error: Error) => void = () => undefined;

  constructor(private readonly name: string) {
    this.promise = new Promise((resolve, reject) => {
      this.#begin = resolve;
      this.#fail = reject;
    });
    // Nobody may be waiting when it fails.
    this.promise.catch(() => undefined);
  }

  begin(): void {
    this.isReady = true;
    this.#begin();
  }

  /** Who waits is told, with `error` if there is one. */
  end(error: Error = new Error(`module ${this.name} is not running`)): void {
    this.#fail(error);
  }
}
