import type { ResourcePool } from "../resource-pool.js";
import { checkReading } from "../check-reading.js";

/** The parts of a test runner that the suite needs; vitest's exports fit. */
export interface TestApi {
  readonly describe: (name: string, body: () => void) => void;
  readonly it: (name: string, body: () => Promise<void>) => void;
  readonly expect: (value: unknown) => {
    toBe(expected: unknown): void;
    toBeGreaterThanOrEqual(expected: number): void;
  };
}

/** A pool to hold against the contract, and what takes it down. */
export interface PoolFixture {
  readonly pool: ResourcePool;
  readonly dispose: () => Promise<void>;
}

/** The suite that every pool runs: what the broker relies on, whatever the tier. */
export function describePoolContract(
  name: string,
  { describe, it, expect }: TestApi,
  create: () => Promise<PoolFixture>,
): void {
  const withPool = (body: (pool: ResourcePool) => Promise<void>) => async (): Promise<void> => {
    const { pool, dispose } = await create();
    try {
      await body(pool);
    } finally {
      await dispose();
    }
  };
  const never = new AbortController().signal;

  describe(`${name}: the contract of a resource pool`, () => {
    it(
      "gives readings whose figures can be true, of one moment",
      withPool(async (pool) => {
        const reading = checkReading(pool.name, await pool.read(never));
        const { capacityBytes, usedBytes, pressure, detected } = reading;
        expect(pressure).toBe(capacityBytes === 0 ? 0 : usedBytes / capacityBytes);
        if (!detected) expect(capacityBytes).toBe(0);
      }),
    );
    it(
      "answers many readers at once",
      withPool(async (pool) => {
        const readings = await Promise.all(Array.from({ length: 20 }, () => pool.read(never)));
        for (const reading of readings) checkReading(pool.name, reading);
      }),
    );
    it(
      "claims no more than it says it deleted, and nothing when nothing is wanted",
      withPool(async (pool) => {
        const { claimedBytes, deleted } = await pool.evict({ wantBytes: 0, signal: never });
        expect(claimedBytes).toBe(0);
        expect(deleted.length).toBe(0);
      }),
    );
    it(
      "frees nothing for a signal that has aborted already",
      withPool(async (pool) => {
        const before = await pool.read(never);
        const outcome = await pool
          .evict({ wantBytes: before.usedBytes, signal: AbortSignal.abort() })
          // To refuse by an error is as good.
          .catch(() => null);
        expect(outcome?.deleted.length ?? 0).toBe(0);
        const after = await pool.read(never);
        expect(after.usedBytes).toBeGreaterThanOrEqual(before.usedBytes);
      }),
    );
    it(
      "lists its entries, largest first",
      withPool(async (pool) => {
        const sizes = (await pool.entries(never)).map(({ sizeBytes }) => sizeBytes);
        sizes.forEach((size, i) => {
          expect(size).toBeGreaterThanOrEqual(sizes[i + 1] ?? 0);
        });
      }),
    );
  });
}
