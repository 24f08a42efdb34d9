export type { ServablePool, ServedReading } from "./servable-pool.js";
export { servePool, type ServePoolOptions } from "./serve-pool.js";
