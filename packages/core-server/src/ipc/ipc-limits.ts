/** What the IPC server allows before it answers with a typed error or closes; every limit is configurable. */
export interface IpcLimits {
  /** The longest request line, in bytes without its newline; a longer one closes the connection. */
  readonly maxLineBytes: number;
  /** Requests in flight on one connection; the next one is answered `overloaded`. */
  readonly maxInFlight: number;
  /** Connections at once; the next one is told `overloaded` and closed. */
  readonly maxConnections: number;
  /** How long a started line may stay unfinished, in ms; an idle connection may stay for ever. */
  readonly lineTimeoutMs: number;
  /** How long a request may take, in ms, before it is answered `timeout` and its signal aborts. */
  readonly requestTimeoutMs: number;
  /** Unread output of a connection, in bytes, above which no more of its requests are read. */
  readonly pauseOutputBytes: number;
  /** Unread output of a connection, in bytes, above which it is closed. */
  readonly maxOutputBytes: number;
  /** How long a connection that is being closed is still read (and ignored), in ms, so that its peer sees why. */
  readonly lingerMs: number;
}

/** The limits of production. */
export const DEFAULT_IPC_LIMITS: IpcLimits = {
  maxLineBytes: 1024 * 1024,
  maxInFlight: 1024,
  maxConnections: 4096,
  lineTimeoutMs: 30_000,
  requestTimeoutMs: 60_000,
  pauseOutputBytes: 1024 * 1024,
  maxOutputBytes: 64 * 1024 * 1024,
  lingerMs: 1000,
};
