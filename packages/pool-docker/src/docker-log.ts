/** Where the pool says what it did; a pino logger fits. */
export interface DockerLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  debug(fields: object, message: string): void;
}

/** Says nothing. */
export const silentLog: DockerLog = { info: () => undefined, warn: () => undefined, debug: () => undefined };
