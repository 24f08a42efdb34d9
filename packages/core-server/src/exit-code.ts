import { CoreError } from "./core-error.js";

/** Exit codes of `continuum-core`: part of its interface, like its flags. */
export const EXIT_CODE = {
  /** Stopped by SIGINT or SIGTERM, or printed help. */
  stopped: 0,
  /** Failed: couldn't listen, a module didn't start, or an error that nobody caught. */
  failed: 1,
  /** A flag or variable can't be used. */
  usage: 2,
  /** Another core answers on the endpoint. */
  alreadyRunning: 3,
} as const;

/** The exit code for an error that ended the core. */
export function toExitCode(error: unknown): number {
  if (!(error instanceof CoreError)) return EXIT_CODE.failed;
  switch (error.code) {
    case "usage":
      return EXIT_CODE.usage;
    case "alreadyRunning":
      return EXIT_CODE.alreadyRunning;
    case "listen":
    case "moduleFailed":
    case "routes":
      return EXIT_CODE.failed;
  }
}
