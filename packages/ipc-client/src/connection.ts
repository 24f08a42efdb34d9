import { decodeErrorDetail } from "@continuum/wire-types";
import type { LoopSpin } from "@continuum/wire-types/low-latency";
import { connect, type NetConnectOpts, type OnReadOpts, type Socket } from "node:net";
import { BufferSink } from "./buffer-sink.js";
import { CommandError } from "./command-error.js";
import { ConnectionError } from "./connection-error.js";
import type { CoreRequest, Flow } from "./core-request.js";
import { type Deadlines, Expiring } from "./deadlines.js";
import type { Endpoint } from "./endpoint.js";
import { type AttachmentSink, FrameDecoder } from "./frame-decoder.js";
import { decodeMessage, type Message, parseRun, toMessage } from "./message-decoder.js";
import { PendingRequests } from "./pending-requests.js";
import type { RequestQueue } from "./request-queue.js";
import { toConnectionError } from "./to-connection-error.js";

/** What a connection allows. */
export interface ConnectionLimits {
  readonly connectTimeoutMs: number;
  readonly maxFrameBytes: number;
  /** Requests in flight at once; more have to wait. */
  readonly maxInFlight: number;
}

/** What a connection needs of its client. */
export interface ConnectionPort {
  readonly limits: ConnectionLimits;
  readonly deadlines: Deadlines;
  /** Polls for replies, where that is asked for. */
  readonly spin: LoopSpin | null;
}

/** Who is told what happens on a connection. */
export interface ConnectionOwner {
  onOpen(): void;
  /** More requests may be sendable now. */
  onRoom(): void;
  onEvent(name: string, data: unknown): void;
  /** A frame that answers nothing: an unknown or repeated id, or of no known kind. */
  onIgnored(): void;
  /** The end, once: connecting failed, or the connection broke. `inFlight` were sent and not answered. */
  onClosed(error: ConnectionError, inFlight: readonly CoreRequest[]): void;
}

/** Above this, a batch of requests is handed to the socket before more is built. */
const MAX_BATCH_CHARS = 256 * 1024;

/** With more in flight, replies come so thick that neither side sleeps: polling would only take from who works. */
const FEW_IN_FLIGHT = 4;

/** Until when it has to be connected; a process doesn't live on for that. */
class ConnectDeadline extends Expiring {
  constructor(override readonly expire: () => void) {
    super();
  }

  override get keepsAlive(): boolean {
    return false;
  }
}

/** One socket to the core, from connecting to its end; it never connects twice, nor keeps the process alive. */
export class Connection {
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #pending = new PendingRequests<CoreRequest>();
  /** Whose attachment is under way. */
  #receiving: CoreRequest | null = null;
  #reading: Uint8Array | null = null;
  readonly #connecting: ConnectDeadline;
  #isOpen = false;
  #isHealthy = false;
  #isDone = false;
  #isPaused = false;
  /** What the core said before it closed, matched to no request. */
  #complaint: string | null = null;
  #wasDropped = false;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly port: ConnectionPort,
    private readonly owner: ConnectionOwner,
  ) {
    const { limits, deadlines } = port;
    this.#decoder = new FrameDecoder(
      {
        onRun: (json, frames) => this.#onRun(parseRun(json, frames)),
        onMessage: (json) => {
          if (!this.#isDone) this.#onMessage(decodeMessage(json));
        },
        onAttachment: (json, bytes) => (this.#isDone ? null : this.#onAttachment(decodeMessage(json), bytes)),
      },
      limits.maxFrameBytes,
    );
    // A core has work as soon as this has happened: what can be done meanwhile is done behind it.
    const socket = connect(toConnectOptions(endpoint, this.#toReadOptions()));
    this.#socket = socket;
    socket.unref();
    if (endpoint.kind === "tcp") socket.setNoDelay(true);
    const { connectTimeoutMs } = limits;
    this.#connecting = new ConnectDeadline(() => {
      this.close(
        new ConnectionError("timeout", `${endpoint.url} didn't accept within ${connectTimeoutMs} ms`),
      );
    });
    deadlines.add(this.#connecting, connectTimeoutMs);
    socket.on("connect", () => this.#onConnect());
    socket.on("drain", () => this.owner.onRoom());
    socket.on("error", (error) => this.close(toConnectionError(error, endpoint, this.#isOpen)));
    socket.on("close", () => {
      // An error costs a stack trace: none for a connection that was closed on purpose.
      if (!this.#isDone) this.close(this.#toCloseReason());
    });
  }

  /** Whether it is connected. */
  get isOpen(): boolean {
    return this.#isOpen && !this.#isDone;
  }

  /** Whether it ever was connected. */
  get wasOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether the peer ever said something of use: before that, it may close each connection that it accepts. */
  get isHealthy(): boolean {
    return this.#isHealthy;
  }

  /** Why the core ended a connection that it had served: it said that too much was left unread; null otherwise. */
  get droppedFor(): string | null {
    return this.#wasDropped ? this.#complaint : null;
  }

  /** Sends of `waiting` what may be sent now, in as few writes as possible, and takes it out of there. */
  sendFrom(waiting: RequestQueue): void {
    while (this.isOpen && waiting.size > 0 && !this.#socket.writableNeedDrain) {
      const batch = this.#takeBatch(waiting);
      if (batch === "") return;
      this.#socket.write(batch);
      if (this.#pending.size <= FEW_IN_FLIGHT) this.port.spin?.begin();
    }
  }

  /** Forgets a request that was sent: its answer will be ignored. */
  forget(id: number): void {
    const request = this.#pending.take(id);
    if (request === undefined || request !== this.#receiving) return;
    this.#receiving = null;
    this.#decoder.takeAttachment();
    // The socket may already have been given a part of the caller's buffer to read into, and it is the caller's again.
    if (request.attachmentInto !== undefined) {
      this.close(
        new ConnectionError("closed", "a request was given up while its attachment was being received"),
      );
    }
  }

  /** Whether nobody waits for anything on it. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && !this.#decoder.isPartial;
  }

  /** Ends a connection that is idle, without a word. */
  discard(): void {
    this.#isDone = true;
    this.port.deadlines.delete(this.#connecting);
    this.#socket.destroy();
  }

  /** Ends the connection; the owner is told at once. The first reason counts. */
  close(reason: ConnectionError): void {
    if (this.#isDone) return;
    this.discard();
    this.#receiving = null;
    this.#decoder.takeAttachment()?.fail(reason);
    this.owner.onClosed(reason, this.#pending.takeAll());
  }

  /** Resolves when the socket's handle is gone. */
  closed(): Promise<void> {
    const socket = this.#socket;
    return socket.closed
      ? Promise.resolve()
      : new Promise((resolve) => socket.once("close", () => resolve()));
  }

  #takeBatch(waiting: RequestQueue): string {
    let batch = "";
    for (let request = waiting.first; request !== null; request = waiting.first) {
      if (this.#pending.size >= this.port.limits.maxInFlight || batch.length >= MAX_BATCH_CHARS) break;
      waiting.delete(request);
      const id = this.#pending.add(request);
      request.sendCount += 1;
      const { head, tail } = request.encoded;
      batch += head + String(id) + tail;
    }
    return batch;
  }

  #onConnect(): void {
    if (this.#isDone) return;
    this.#isOpen = true;
    this.port.deadlines.delete(this.#connecting);
    this.owner.onOpen();
  }

  /** The kernel reads straight to where the bytes belong. */
  #toReadOptions(): OnReadOpts {
    return {
      buffer: () => (this.#reading = this.#decoder.buffer()),
      callback: (bytes) => {
        this.#onRead(bytes);
        return !this.#isPaused;
      },
    };
  }

  #onRead(bytes: number): void {
    if (this.#isDone || this.#reading === null) return;
    this.port.spin?.end();
    try {
      this.#decoder.read(bytes, this.#reading);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.close(error);
    }
    if (this.isOpen) this.owner.onRoom();
  }

  #onAttachment(message: Message, bytes: number): AttachmentSink | null {
    const request = message.kind === "success" ? this.#pending.get(message.requestId) : undefined;
    if (message.kind !== "success" || request === undefined) {
      this.#onMessage(message);
      return null;
    }
    const { requestId, result } = message;
    if (request.openAttachment !== undefined) {
      this.#take(requestId);
      const sink = request.openAttachment(bytes, this.#flow());
      request.succeed({ result, attachment: null });
      return sink;
    }
    const { attachmentInto } = request;
    if (attachmentInto !== undefined && attachmentInto.length < bytes) {
      this.#take(requestId);
      const text = `${request.command}: the attachment has ${bytes} bytes, and the buffer for it ${attachmentInto.length}`;
      request.failWith("tooSmall", text);
      return null;
    }
    const attachment =
      attachmentInto === undefined
        ? Buffer.allocUnsafeSlow(bytes)
        : Buffer.from(attachmentInto.buffer, attachmentInto.byteOffset, bytes);
    this.#receiving = request;
    return new BufferSink(attachment, () => {
      this.#receiving = null;
      this.#take(requestId)?.succeed({ result, attachment });
    });
  }

  #flow(): Flow {
    return {
      pause: () => {
        this.#isPaused = true;
        this.#socket.pause();
      },
      resume: () => {
        this.#isPaused = false;
        this.#socket.resume();
      },
    };
  }

  #onRun(values: readonly unknown[] | null): boolean {
    if (values === null) return false;
    for (const value of values) {
      if (this.#isDone) break;
      this.#onMessage(toMessage(value));
    }
    return true;
  }

  #onMessage(message: Message): void {
    switch (message.kind) {
      case "success":
        this.#take(message.requestId)?.succeed({ result: message.result, attachment: null });
        return;
      case "failure": {
        const { requestId, error, errorDetail } = message;
        if (requestId === null) {
          this.#complaint = error;
          this.#wasDropped = this.#isHealthy && decodeErrorDetail(errorDetail)?.kind === "overloaded";
          this.owner.onIgnored();
          return;
        }
        const detail = decodeErrorDetail(errorDetail);
        if (detail?.kind === "shuttingDown" && this.#pending.get(requestId)?.idempotent === true) {
          // It stays in flight until the connection ends, which it does now, and is then sent to the next core.
          this.#isHealthy = true;
          return;
        }
        const request = this.#take(requestId);
        request?.fail(new CommandError(request.command, error, detail));
        return;
      }
      case "event":
        this.#isHealthy = true;
        this.owner.onEvent(message.name, message.data);
        return;
      case "unknown":
        this.owner.onIgnored();
        return;
    }
  }

  #take(id: number): CoreRequest | undefined {
    const request = this.#pending.take(id);
    if (request === undefined) this.owner.onIgnored();
    else this.#isHealthy = true;
    return request;
  }

  #toCloseReason(): ConnectionError {
    const within = this.#decoder.isPartial ? " within a frame" : "";
    const complaint = this.#complaint === null ? "" : `: ${this.#complaint}`;
    return new ConnectionError("closed", `${this.endpoint.url} closed the connection${within}${complaint}`);
  }
}

function toConnectOptions(endpoint: Endpoint, onread: OnReadOpts): NetConnectOpts {
  return endpoint.kind === "unix"
    ? { path: endpoint.path, onread }
    : { host: endpoint.host, port: endpoint.port, onread };
}
