/** Why the process is to end: a signal, or an error that nobody caught. */
export interface StopReason {
  readonly error: unknown;
}

/** The process's end, awaited. */
export interface StopSignal {
  /** Resolves at SIGINT, SIGTERM, SIGHUP, or an error that nobody caught; never rejects. */
  readonly signalled: Promise<StopReason>;
  isSignalled(): boolean;
  /** Takes the listeners away again. */
  dispose(): void;
}

/** Exit code of a process that a second signal ended at once: 128 and the signal's number, as shells count. */
const HURRIED_EXIT_CODE = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Listens for what ends the process. The second signal ends it at once. A promise that failed and that nobody waited for
 * ends it only when `isFatal` says so; an error that was thrown where nobody could catch it always does.
 */
export function untilStopSignal(isFatal: (rejection: unknown) => boolean): StopSignal {
  let isSignalled = false;
  let resolve: (reason: StopReason) => void = () => undefined;
  const signalled = new Promise<StopReason>((settle) => (resolve = settle));
  const stop = (reason: StopReason): void => {
    isSignalled = true;
    resolve(reason);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (isSignalled)
      process.exit(name in HURRIED_EXIT_CODE ? HURRIED_EXIT_CODE[name as keyof typeof HURRIED_EXIT_CODE] : 1);
    stop({ error: null });
  };
  const onError = (error: unknown): void => stop({ error });
  const onRejection = (error: unknown): void => {
    if (isFatal(error)) onError(error);
  };
  const names = ["SIGHUP", "SIGINT", "SIGTERM"] as const;
  for (const name of names) process.on(name, onSignal);
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onRejection);
  return {
    signalled,
    isSignalled: () => isSignalled,
    dispose: () => {
      for (const name of names) process.off(name, onSignal);
      process.off("uncaughtException", onError);
      process.off("unhandledRejection", onRejection);
    },
  };
}
