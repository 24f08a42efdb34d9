/** Why the process is to end: a signal, or an error that nobody caught. */
export interface StopReason {
  readonly error: unknown;
}

/** The process's end, awaited. */
export interface StopSignal {
  /** Resolves at SIGINT, SIGTERM, or an error that nobody caught; never rejects. */
  readonly signalled: Promise<StopReason>;
  isSignalled(): boolean;
  /** Takes the listeners away again. */
  dispose(): void;
}

/** Exit code of a process that a second signal ended at once: 128 and the signal's number, as shells count. */
const HURRIED_EXIT_CODE = { SIGINT: 130, SIGTERM: 143 } as const;

/** Listens for what ends the process. The second signal ends it at once. */
export function untilStopSignal(): StopSignal {
  let isSignalled = false;
  let resolve: (reason: StopReason) => void = () => undefined;
  const signalled = new Promise<StopReason>((settle) => (resolve = settle));
  const stop = (reason: StopReason): void => {
    isSignalled = true;
    resolve(reason);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (isSignalled) process.exit(name === "SIGINT" ? HURRIED_EXIT_CODE.SIGINT : HURRIED_EXIT_CODE.SIGTERM);
    stop({ error: null });
  };
  const onError = (error: unknown): void => stop({ error });
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
  return {
    signalled,
    isSignalled: () => isSignalled,
    dispose: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
      process.off("uncaughtException", onError);
      process.off("unhandledRejection", onError);
    },
  };
}
