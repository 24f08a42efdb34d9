export {
  candidateEndpoints,
  type DockerEndpoint,
  DockerHostError,
  formatDockerEndpoint,
  parseDockerHost,
} from "./docker-host.js";
export type { DockerLog } from "./docker-log.js";
export {
  createDockerPool,
  type DockerEvictionControl,
  type DockerPool,
  type DockerPoolOptions,
  type DockerTierReading,
  type EvictMode,
} from "./docker-pool.js";
export type { PlanWish, Underway } from "./evict/docker-evictions.js";
export { EvictionError } from "./evict/eviction-error.js";
export {
  type EvictionLedger,
  LEDGER_LINES,
  type LedgerEntry,
  MemoryLedger,
} from "./journal/eviction-ledger.js";
export type { ImageUse, UseHistory } from "./journal/image-use.js";
export { UseBook } from "./journal/use-book.js";
export { type JournalMarker, MemoryUseStore, type UseStore } from "./journal/use-store.js";
export type { DockerInventory, InventoryImage } from "./plan/docker-inventory.js";
export {
  EVICTION_POLICY_NAMES,
  type EvictionPolicy,
  type EvictionPolicyName,
} from "./plan/eviction-policy.js";
export { planEviction, type PlanRequest } from "./plan/plan-eviction.js";
export type { HostFiles } from "./probe/host-files.js";
