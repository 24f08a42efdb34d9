export {
  createServerCommands,
  HealthCheckServerCommand,
  type ServerCommands,
  SystemDockerTierProbeServerCommand,
  SystemDockerTierStatsServerCommand,
  SystemPressureBrokerStateServerCommand,
  SystemPressureTrendsServerCommand,
  SystemResourceAdmitServerCommand,
  SystemResourcesServerCommand,
} from "./gen/index.js";
export type { ServerCommand } from "./server-command.js";
