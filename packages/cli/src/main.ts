import process from "node:process";
import { EXIT_CODE } from "./exit-code.js";
import { runCli } from "./run-cli.js";

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());

for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // Whoever read has read enough, as `| head` does.
    process.exit(error.code === "EPIPE" ? EXIT_CODE.ok : EXIT_CODE.failed);
  });
}

// Set, not exited with: what was written to a pipe is still on its way.
process.exitCode = await runCli({
  args: process.argv.slice(2),
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: interrupt.signal,
});
