import process from "node:process";
import { runCore } from "./run-core.js";

const exitCode = await runCore({
  args: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
});
// Not left to the event loop: a pool that hangs must not keep a stopped core alive.
process.exit(exitCode);
