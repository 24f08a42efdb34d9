export { describePoolContract, type PoolFixture, type TestApi } from "./describe-pool-contract.js";
export { FakePool, toReading } from "./fake-pool.js";
export { ManualClock } from "./manual-clock.js";
