export { EXIT_CODE } from "./exit-code.js";
export { type CliContext, type CliOutput, runCli } from "./run-cli.js";
export type { StatusExtension, StatusReport } from "./status-report.js";
export type { TrendReport } from "./trend-report.js";
