/** Exit codes of `continuum`: part of its interface, like its flags. */
export const EXIT_CODE = {
  ok: 0,
  /** The core refused the command, or the connection to it failed. */
  failed: 1,
  /** A flag, an endpoint or `--params` can't be used. */
  usage: 2,
  /** No core is running there. */
  notRunning: 3,
  /** Ended by Ctrl-C, as shells count it. */
  interrupted: 130,
} as const;
