/** Time as the broker and the core see it; tests put their own in its place. */
export interface Clock {
  /** Wall clock, Unix milliseconds: for times that people and other machines see. May jump. */
  nowMs(): number;
  /** Milliseconds that only grow: for durations and deadlines. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`; gives the function that cancels it. */
  setTimeout(run: () => void, delayMs: number): () => void;
}

/** The machine's own time. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout: (run, delayMs) => {
    const timer = setTimeout(run, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
};
