import type { AlertMessage, AlertSinkStatus } from "@continuum/wire-types";

/** One way out of the core for what people are told. A queue of its own calls it, one delivery at a time. */
export interface AlertSink {
  readonly kind: AlertSinkStatus["kind"];
  /** Where it delivers to, for people: without anything secret. */
  readonly target: string;
  /** After this a delivery counts as failed, whatever it still does, in ms. */
  readonly deadlineMs: number;
  /** Resolves when the receiver has the message. Rejects with a SinkError; ends soon after the signal aborts. */
  deliver(message: AlertMessage, signal: AbortSignal): Promise<void>;
  /** Tells the receiver again what is open, where it forgets what it isn't reminded of. */
  readonly refresh?: (open: readonly AlertMessage[], signal: AbortSignal) => Promise<void>;
}
