export {
  type AlertEpisode,
  type EpisodeMessage,
  type EpisodeObservation,
  type EpisodePolicy,
  observeEpisode,
  toEpisodePolicy,
} from "./alert-episode.js";
export { type Clock, systemClock } from "./clock.js";
export {
  decideRelief,
  type InactionReason,
  type ReliefCandidate,
  type ReliefDecision,
  type WantedRelief,
} from "./decide-relief.js";
export {
  DEFAULT_MAX_PRESSURE_BASIS_POINTS,
  ensureProjectedDiskCapacity,
  type ProjectedUse,
  ResourceAdmissionError,
} from "./ensure-projected-disk-capacity.js";
export { type FillForecast, type FillSample, forecastFill } from "./forecast-fill.js";
export { PoolError, type PoolErrorCode } from "./pool-error.js";
export {
  DEFAULT_POOL_POLICY,
  PolicyError,
  type PoolPolicy,
  toPoolPolicy,
  wantedBytes,
} from "./pool-policy.js";
export { type BindingPressure, toBindingPressure, toPressure, toPressureTier } from "./pressure.js";
export { MIN_TICK_MS } from "./next-tick.js";
export { DEFAULT_TICK_MS, PressureBroker, type PressureBrokerOptions } from "./pressure-broker.js";
export type { ReliefProgress } from "./relief-progress.js";
export type { AlertSink, ReliefOutcome, ReliefRound } from "./relief.js";
export {
  type EvictedItem,
  type EvictionRequest,
  type EvictionResult,
  type InodeUse,
  NO_COUNTERS,
  type PoolCounters,
  type PoolReading,
  type ResourcePool,
} from "./resource-pool.js";
export { withDeadline } from "./with-deadline.js";
export type { BrokerCounters } from "./to-snapshot.js";
