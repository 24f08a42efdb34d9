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
  type DockerPool,
  type DockerPoolOptions,
  type DockerTierReading,
  type EvictMode,
} from "./docker-pool.js";
export type { HostFiles } from "./probe/host-files.js";
