import type { Clock } from "@continuum/broker-core";
import { createLogUpdate } from "log-update";
import type { WriteStream } from "node:tty";

/** Where the core's lines for people go. */
export interface Screen {
  /** Prints a line that stays. */
  line(text: string): void;
  /** Says that the status may have changed. */
  refresh(): void;
  close(): void;
}

/** Lines and nothing else: for a file, a pipe, a service manager's journal. */
export function createPlainScreen(stream: NodeJS.WritableStream): Screen {
  return {
    line: (text) => void stream.write(`${text}\n`),
    refresh: () => undefined,
    close: () => undefined,
  };
}

/** The status isn't drawn more often than this, in ms. */
const REDRAW_INTERVAL_MS = 1000;

/** Lines above, and below them a status that is redrawn in place, at most once a second. */
export function createLiveScreen(options: {
  readonly stream: WriteStream;
  readonly clock: Clock;
  readonly status: () => readonly string[];
}): Screen {
  const { stream, clock, status } = options;
  const update = createLogUpdate(stream);
  let drawnAtMs = -Infinity;
  let cancelTimer: (() => void) | null = null;
  let isClosed = false;

  const draw = (): void => {
    cancelTimer?.();
    cancelTimer = null;
    drawnAtMs = clock.monotonicMs();
    update(status().join("\n"));
  };
  const refresh = (): void => {
    if (isClosed || cancelTimer !== null) return;
    const inMs = drawnAtMs + REDRAW_INTERVAL_MS - clock.monotonicMs();
    if (inMs <= 0) draw();
    else cancelTimer = clock.setTimeout(draw, inMs);
  };
  stream.on("resize", refresh);
  return {
    line: (text) => {
      update.clear();
      stream.write(`${text}\n`);
      if (!isClosed && drawnAtMs > -Infinity) update(status().join("\n"));
    },
    refresh,
    close: () => {
      if (isClosed) return;
      isClosed = true;
      cancelTimer?.();
      stream.off("resize", refresh);
      update.done();
    },
  };
}
