export type { DisposeReason, LoadOptions, MemoryPoolOptions } from "./memory-pool-options.js";
export { MemoryPagedPool } from "./memory-paged-pool.js";
export type { Pin } from "./pin.js";
