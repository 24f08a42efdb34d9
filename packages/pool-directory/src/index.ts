export type { CacheDeletion, CacheLedger } from "./cache-ledger.js";
export { CacheRootError } from "./cache-root.js";
export type { CacheLayout } from "./cache-scan.js";
export { type CacheStatus, DirectoryCachePool } from "./directory-cache-pool.js";
export type { DirectoryPoolOptions } from "./directory-pool-options.js";
