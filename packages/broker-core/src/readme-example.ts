import { formatPressureAlert } from "@continuum/wire-types";
import { PressureBroker } from "@continuum/broker-core";
import { FakePool } from "@continuum/broker-core/testing";

const broker = new PressureBroker({ policy: { actAbove: 0.8, target: 0.6 } });
broker.register(new FakePool("docker", { usedBytes: 92_000_000_000, capacityBytes: 100_000_000_000 }));
broker.addAlertSink((alert) => {
  console.log(formatPressureAlert(alert));
});

// A service calls this on a tick; evictions run beside it.
const round = await broker.relieve();
await round.done;
console.log(broker.snapshot().globalTier);
await broker.close();
