import { connect, type Socket } from "node:net";
import { once } from "node:events";

/** One reply frame of the core, as parsed JSON. */
export interface RawReply {
  readonly success?: boolean;
  readonly result?: unknown;
  readonly error?: string;
  readonly errorDetail?: { readonly kind: string; readonly [key: string]: unknown };
  readonly requestId?: number;
  readonly event?: string;
}

/**
 * A client that knows nothing but the bytes of the protocol: what the core must withstand is sent from here,
 * and what any other implementation of a client would see is read here.
 */
export interface RawPeer extends AsyncDisposable {
  readonly socket: Socket;
  send(bytes: string | Uint8Array): void;
  /** The next frame; rejects after `withinMs`, or when the connection closes first. */
  next(withinMs?: number): Promise<RawReply>;
  /** Resolves when the core has closed the connection. */
  closed(withinMs?: number): Promise<void>;
}

/** Connects to a core's Unix socket. */
export async function connectRaw(socketPath: string): Promise<RawPeer> {
  const socket = connect(socketPath);
  await once(socket, "connect");
  let buffered = Buffer.alloc(0);
  const frames: RawReply[] = [];
  const waiting: (() => void)[] = [];
  let ended = false;
  const wake = (): void => waiting.splice(0).forEach((resolve) => resolve());
  socket.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readUInt32BE(0)) {
      const length = buffered.readUInt32BE(0);
      frames.push(JSON.parse(buffered.subarray(4, 4 + length).toString("utf8")) as RawReply);
      buffered = buffered.subarray(4 + length);
    }
    wake();
  });
  socket.on("error", () => undefined); // followed by close, which is what callers wait for
  socket.on("close", () => {
    ended = true;
    wake();
  });

  const waitFor = async <T>(probe: () => T | undefined, withinMs: number, what: string): Promise<T> => {
    const deadline = AbortSignal.timeout(withinMs);
    for (;;) {
      const found = probe();
      if (found !== undefined) return found;
      await new Promise<void>((resolve, reject) => {
        waiting.push(resolve);
        deadline.addEventListener("abort", () => reject(new Error(`no ${what} within ${withinMs} ms`)), {
          once: true,
        });
      });
    }
  };
  return {
    socket,
    send: (bytes) => void socket.write(bytes),
    next: (withinMs = 10_000) =>
      waitFor(
        () => {
          const frame = frames.shift();
          if (frame === undefined && ended) throw new Error("the core closed the connection");
          return frame;
        },
        withinMs,
        "frame",
      ),
    closed: async (withinMs = 10_000) => {
      await waitFor(() => (ended ? true : undefined), withinMs, "close");
    },
    [Symbol.asyncDispose]: async () => {
      socket.destroy();
      if (!ended) await once(socket, "close");
    },
  };
}
