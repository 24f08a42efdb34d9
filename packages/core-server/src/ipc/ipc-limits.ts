/** What the IPC server allows before it answers with a typed error or closes; every limit is configurable. */
export interface IpcLimits {
  /** The longest request line, in bytes without its newline; a longer one closes the connection. */
  readonly maxLineBytes: number;
  /** Requests in flight on one connection; the next one is answered `overloaded`. */
  readonly maxInFlight: number;
  /**
   * Requests in flight over all connections; the next one is answered `overloaded`. A quarter is kept for connections with
   * fewer than four of their own, and `health-check` is always answered.
   */
  readonly maxInFlightTotal: number;
  /**
   * Input that isn't served and output that isn't read yet, over all connections, in bytes. Beyond, requests of busy
   * connections are answered `overloaded`, and a connection that holds more than an equal share of it is closed.
   */
  readonly maxQueuedBytes: number;
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
  /**
   * How long a reply may wait for its peer to read, in ms: one that is being written, beyond `pauseOutputBytes`, without a
   * byte of it read, before the connection is cut off; an attachment behind others, before it is answered `timeout`.
   */
  readonly unreadReplyMs: number;
  /** Unread events of a connection, in bytes, above which it is told `overloaded` and closed. */
  readonly maxEventBytes: number;
  /** How long a connection that is being closed may take to read what it is owed, in ms. */
  readonly slowReaderMs: number;
  /** How long a connection that is being closed is still read (and ignored) once all is sent, in ms, so that its peer sees why. */
  readonly lingerMs: number;
  /** How long a connection that owes a token may say nothing, in ms, before it is closed. */
  readonly tokenTimeoutMs: number;
  /** Connections at once that owe a token; the next one is told `overloaded` and closed. */
  readonly maxUnauthenticated: number;
  /** How long the answer to a wrong token is held back, in ms. */
  readonly wrongTokenDelayMs: number;
  /** A connection is closed after so many wrong tokens. */
  readonly maxWrongTokens: number;
}

/** The limits of production. */
export const DEFAULT_IPC_LIMITS: IpcLimits = {
  maxLineBytes: 1024 * 1024,
  maxInFlight: 1024,
  maxInFlightTotal: 16_384,
  maxQueuedBytes: 256 * 1024 * 1024,
  maxConnections: 4096,
  lineTimeoutMs: 30_000,
  requestTimeoutMs: 60_000,
  pauseOutputBytes: 1024 * 1024,
  maxOutputBytes: 64 * 1024 * 1024,
  unreadReplyMs: 60_000,
  maxEventBytes: 1024 * 1024,
  slowReaderMs: 30_000,
  lingerMs: 1000,
  tokenTimeoutMs: 30_000,
  maxUnauthenticated: 256,
  wrongTokenDelayMs: 500,
  maxWrongTokens: 3,
};
