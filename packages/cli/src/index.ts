export { EXIT_CODE } from "./exit-code.js";
export { type CliContext, type CliOutput, runCli } from "./run-cli.js";
export type { StatusReport } from "./status-report.js";
