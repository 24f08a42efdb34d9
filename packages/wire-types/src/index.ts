export type { AccessLevel, CommandDescriptor, CommandExample } from "./command-descriptor.js";
export { type CommandName, type CommandParams, type CommandResult, isCommandName } from "./command-names.js";
export { DecodeError } from "./decode-error.js";
export { decodeErrorDetail, type ErrorDetail } from "./error-detail.js";
export { type CommandMap, COMMANDS } from "./gen/commands/command-table.js";
export type {
  AdmissionTicket,
  BrokerSnapshot,
  CommandFailure,
  CpuUsage,
  DockerTierProbe,
  DockerTierStats,
  MemoryUsage,
  PoolStats,
  PoolView,
  PressureAlert,
  PressureTier,
  PressureTrend,
  PressureTrends,
  ProcessUsage,
  ResourceError,
  ResourcePoolEntry,
  SystemResources,
  TopProcesses,
} from "./gen/types.js";
export {
  admissionTicketSchema,
  brokerSnapshotSchema,
  commandFailureSchema,
  cpuUsageSchema,
  decodeAdmissionTicket,
  decodeBrokerSnapshot,
  decodeCommandFailure,
  decodeCpuUsage,
  decodeDockerTierProbe,
  decodeDockerTierStats,
  decodeMemoryUsage,
  decodePoolStats,
  decodePoolView,
  decodePressureAlert,
  decodePressureTier,
  decodePressureTrend,
  decodePressureTrends,
  decodeProcessUsage,
  decodeResourceError,
  decodeResourcePoolEntry,
  decodeSystemResources,
  decodeTopProcesses,
  dockerTierProbeSchema,
  dockerTierStatsSchema,
  memoryUsageSchema,
  poolStatsSchema,
  poolViewSchema,
  pressureAlertSchema,
  pressureTierSchema,
  pressureTrendSchema,
  pressureTrendsSchema,
  processUsageSchema,
  resourceErrorSchema,
  resourcePoolEntrySchema,
  systemResourcesSchema,
  topProcessesSchema,
} from "./gen/types.js";
export { formatBytes } from "./text/format-bytes.js";
export { formatPercent } from "./text/format-percent.js";
export { formatPressureAlert } from "./text/format-pressure-alert.js";
export { toPressureTier } from "./to-pressure-tier.js";
export { formatTierRow, type TierRow, type TierRowStyle } from "./text/format-tier-row.js";
