import {
  type AlertEpisode,
  forecastFill,
  observeEpisode,
  PressureBroker,
  toEpisodePolicy,
  toPoolPolicy,
} from "@continuum/broker-core";
import { FakePool, ManualClock } from "@continuum/broker-core/testing";

const clock = new ManualClock();
const policy = toPoolPolicy({ actAbove: 0.8, stopBelow: 0.7, target: 0.6 });
const broker = new PressureBroker({ clock, policy });
const disk = new FakePool("disk", { usedBytes: 20e9, capacityBytes: 100e9 });
broker.register(disk);

// Five minutes of a fill, 0.1 % of the disk every five seconds.
for (let i = 0; i < 60; i += 1) {
  disk.usedBytes += 100_000_000;
  await broker.relieve();
  await clock.advance(broker.nextTickMs(5_000));
}
const { basis, bytesPerSecond, timeToFullMs } = broker.forecasts()[0] ?? {};
console.log(basis, Math.round(bytesPerSecond ?? 0), Math.round((timeToFullMs ?? 0) / 60_000), "min");

// The estimator alone: a level that trembles about 50 % says nothing.
const noise = Array.from({ length: 60 }, (_, i) => ({
  monotonicMs: i * 5_000,
  pressure: 0.5 + 0.01 * Math.sin(i * i),
}));
const unknown = forecastFill(noise);
console.log(unknown.basis, unknown.timeToFullMs);

// What people are told of a pool that stays hot for five hours, and is calm after that.
let episode: AlertEpisode | null = null;
for (let minute = 0; minute < 480; minute += 1) {
  const pressure = minute < 300 ? 0.9 : 0.5;
  const relief = minute === 0 ? { freedBytes: 0, actionTaken: true } : null;
  const seen = { atMs: minute * 60_000, pressure, relief, isGone: false };
  const step = observeEpisode(episode, seen, toEpisodePolicy(policy), () => "episode-1");
  if (step.message !== null) console.log(minute, "min:", step.message);
  episode = step.episode;
}
await broker.close();
