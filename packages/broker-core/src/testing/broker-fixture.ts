import { PressureBroker } from "../pressure-broker.js";
import type { ReliefOutcome } from "../relief.js";
import type { FakePool } from "./fake-pool.js";
import { ManualClock } from "./manual-clock.js";

/** A broker on a clock that the test moves. */
export interface BrokerFixture {
  readonly clock: ManualClock;
  readonly broker: PressureBroker;
  /** What the broker's `onError` heard, as `source: message`. */
  readonly errors: string[];
  /** One round of relief to its end, with all that follows from it at once. */
  readonly round: () => Promise<readonly ReliefOutcome[]>;
}

/** Makes a broker with default options; it is the test's to close. */
export function createBrokerFixture(): BrokerFixture {
  const clock = new ManualClock();
  const errors: string[] = [];
  const broker = new PressureBroker({
    clock,
    onError: (error, source) => errors.push(`${source}: ${(error as Error).message}`),
  });
  const round = async (): Promise<readonly ReliefOutcome[]> => {
    const outcomes = await (await broker.relieve()).done;
    await clock.advance(0);
    return outcomes;
  };
  return { clock, broker, errors, round };
}

/** Figures of a pool of 1,000 bytes. */
export const size = (usedBytes: number): { usedBytes: number; capacityBytes: number } => ({
  usedBytes,
  capacityBytes: 1000,
});

/** Lets the pool's next eviction hang until the function that this gives is called; what is wanted is freed then. */
export function holdEviction(pool: FakePool): () => void {
  let finish = (): void => undefined;
  pool.onEvict = ({ wantBytes }) =>
    new Promise((resolve) => {
      finish = () => resolve(pool.free(wantBytes));
    });
  return () => finish();
}
