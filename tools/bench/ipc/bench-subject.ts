/** What is asked for: a small reply, or a broker's state with many pools. */
export type PayloadName = "stats" | "state";

/** One side that answers; it runs in a process of its own. */
export interface BenchServer {
  /** The process that does the work, where it isn't the server's own. */
  readonly pid: number;
  close(): Promise<void>;
}

/** One side that asks; it runs in a process of its own. */
export interface BenchClient {
  /** Begins one operation and calls `done` when its decoded result is there; throws or fails the process otherwise. */
  issue(done: () => void): void;
  close(): Promise<void>;
}

/** A way to carry requests and replies over a Unix socket. */
export interface BenchSubject {
  startServer(socketPath: string, payload: PayloadName): Promise<BenchServer>;
  startClient(socketPath: string, payload: PayloadName): Promise<BenchClient>;
}

/** Ends the process: a benchmark with a failed operation measures nothing. */
export function fail(error: unknown): never {
  console.error("a benchmarked operation failed:", error);
  process.exit(1);
}
