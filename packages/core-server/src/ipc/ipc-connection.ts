import type { AccessLevel } from "@continuum/wire-types";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { AttachedReply } from "../runtime/attached-reply.js";
import type { PushedEventName, RequestContext } from "../runtime/command-handlers.js";
import type { DeadlineList } from "./deadline-list.js";
import { FrameBatch } from "./frame-batch.js";
import type { IpcLimits } from "./ipc-limits.js";
import { LineDecoder } from "./line-decoder.js";
import { PendingRequest, type Requester } from "./pending-request.js";
import { toReplyError } from "./reply-error.js";
import { decodeRequest } from "./request-decoder.js";
import {
  encodeAttachmentHead,
  encodeFrame,
  encodeSuccess,
  type Outgoing,
  toFailure,
  toSuccess,
} from "./response-encoder.js";

/** What a connection needs from its server; shared by all connections. */
export interface ConnectionHost {
  readonly limits: IpcLimits;
  readonly log: Logger;
  /** What connections may ask for. */
  readonly access: AccessLevel;
  /** Answers a request, or gives a promise of the answer; throws or rejects for a failure. */
  readonly dispatch: (
    command: string,
    params: Readonly<Record<string, unknown>>,
    context: RequestContext,
  ) => unknown;
  readonly requestDeadlines: DeadlineList<PendingRequest>;
  readonly lineDeadlines: DeadlineList<IpcConnection>;
  readonly lingerDeadlines: DeadlineList<IpcConnection>;
  /**
   * True where a browser could be made to speak (TCP): a line that isn't JSON then ends the connection, so that
   * no request smuggled into the body of another protocol is executed.
   */
  readonly closeOnGarbage: boolean;
}

/**
 * Replies of one turn leave in about so many writes: in one, the peer would have nothing to do meanwhile; in more,
 * system calls cost more than that.
 */
const WRITES_PER_BATCH = 4;
/** Fewer replies than this aren't worth a write of their own. */
const MIN_BATCH_FRAMES = 8;
/** So much is written at once, in bytes. */
const MAX_BATCH_BYTES = 256 * 1024;

/** One peer: reads its requests, answers each, and pushes the events that it subscribed to. */
export class IpcConnection implements Requester {
  readonly #decoder: LineDecoder;
  readonly #pending = new Set<PendingRequest>();
  readonly #idsInFlight = new Set<number>();
  readonly #subscriptions = new Set<PushedEventName>();
  readonly #closeListeners = new Set<() => void>();
  /** Reading: requests are taken. Ending: those in flight are answered, no more are taken. Closing: nothing is answered. */
  #state: "reading" | "ending" | "closing" = "reading";
  #isPaused = false;
  /** Replies that aren't written yet; they are at the end of the turn. */
  readonly #batch = new FrameBatch();
  #batchFrames = MIN_BATCH_FRAMES;
  #isFlushDue = false;

  constructor(
    readonly id: number,
    private readonly socket: Socket,
    private readonly host: ConnectionHost,
    onClosed: () => void,
  ) {
    this.#decoder = new LineDecoder(host.limits.maxLineBytes);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onPeerEnded());
    socket.on("drain", () => this.#onDrained());
    socket.on("error", (error) => host.log.debug({ err: error, connection: id }, "connection failed"));
    socket.on("close", () => {
      this.#forget("the connection closed");
      for (const listener of [...this.#closeListeners]) listener();
      this.#closeListeners.clear();
      onClosed();
    });
  }

  get access(): AccessLevel {
    return this.host.access;
  }

  get subscriptions(): readonly PushedEventName[] {
    return [...this.#subscriptions].sort();
  }

  isSubscribed(event: PushedEventName): boolean {
    return this.#subscriptions.has(event);
  }

  subscribe(event: PushedEventName): void {
    this.#subscriptions.add(event);
  }

  unsubscribe(event: PushedEventName): void {
    this.#subscriptions.delete(event);
  }

  send(event: PushedEventName, data: unknown): boolean {
    if (this.#state !== "reading" || this.socket.destroyed) return false;
    this.#write(encodeFrame({ event, data }));
    return true;
  }

  onClosed(run: () => void): () => void {
    if (this.socket.destroyed) {
      run();
      return () => undefined;
    }
    // A wrapper of its own: the same function given twice is also ended one at a time.
    const own = (): void => run();
    this.#closeListeners.add(own);
    return () => {
      this.#closeListeners.delete(own);
    };
  }

  /** Sends an event's frame, if the peer subscribed to it. */
  push(event: PushedEventName, frame: Buffer): void {
    if (this.#state === "reading" && this.#subscriptions.has(event)) this.#write(frame);
  }

  /** Answers what is in flight, takes nothing more, and closes. */
  drain(): void {
    if (this.#state !== "reading") return;
    this.#state = "ending";
    this.host.lineDeadlines.delete(this);
    this.#endIfIdle();
  }

  /** Closes at once; requests in flight are aborted. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Answers a request that took too long; called by its deadline. */
  expireRequest(pending: PendingRequest): void {
    const timeoutMs = this.host.limits.requestTimeoutMs;
    const { command } = pending;
    const text = `${command} did not finish within ${timeoutMs} ms`;
    const detail = { kind: "timeout", command, timeoutMs } as const;
    this.#settle(pending, () => this.#send(toFailure(pending.requestId, text, detail)));
    pending.abort(new Error(text));
  }

  /** Gives up on a peer that started a line and doesn't finish it; called by its deadline. */
  expireLine(): void {
    this.#refuseAndClose(`the request line was not finished within ${this.host.limits.lineTimeoutMs} ms`);
  }

  /** Says what is wrong, then closes: for a peer whose stream can't be understood any more. */
  #refuseAndClose(reason: string): void {
    if (this.#state === "closing") return;
    this.#send(badRequest(null, reason));
    this.#close();
  }

  #onData(chunk: Buffer): void {
    // A peer that is being closed is read on for a moment, so that it isn't reset before it has read why.
    if (this.#state !== "reading") return;
    const { lines, oversized } = this.#decoder.push(chunk);
    this.#batchFrames = Math.max(MIN_BATCH_FRAMES, Math.ceil(lines.length / WRITES_PER_BATCH));
    for (const line of lines) {
      this.#onLine(line);
      if (!this.#isReading()) return;
    }
    this.#flush();
    if (oversized) {
      this.#refuseAndClose(`a request line is longer than ${this.host.limits.maxLineBytes} bytes`);
      return;
    }
    this.#watchLine(lines.length > 0);
  }

  /** A method, because a handler that runs in between may have changed the state. */
  #isReading(): boolean {
    return this.#state === "reading";
  }

  /** A deadline runs while a line is unfinished; `isNew` says that it isn't the one of before. */
  #watchLine(isNew: boolean): void {
    const { lineDeadlines } = this.host;
    if (!this.#decoder.isPartial || this.#isPaused) lineDeadlines.delete(this);
    else if (isNew || !lineDeadlines.has(this)) lineDeadlines.add(this);
  }

  #onLine(line: string | null): void {
    const request = decodeRequest(line);
    if (request.kind === "refused") {
      if (this.host.closeOnGarbage && !request.isJson) this.#refuseAndClose(request.reason);
      else this.#send(badRequest(request.requestId, request.reason));
      return;
    }
    const { command, requestId, params } = request;
    if (requestId !== null && this.#idsInFlight.has(requestId)) {
      // Without the id: with it, this would be taken for the answer to the request that is in flight.
      this.#send(badRequest(null, `requestId ${requestId} is already in flight`));
      return;
    }
    const { maxInFlight } = this.host.limits;
    if (this.#pending.size >= maxInFlight) {
      const reason = `${maxInFlight} requests are in flight on this connection`;
      this.#send(toFailure(requestId, `overloaded: ${reason}`, { kind: "overloaded", reason }));
      return;
    }
    const pending = new PendingRequest(command, requestId, this);
    let result: unknown;
    try {
      result = this.host.dispatch(command, params, pending);
    } catch (error) {
      this.#answerFailure(pending, error);
      return;
    }
    if (result instanceof Promise) this.#await(pending, result);
    else this.#answer(pending, result);
  }

  /** Only what can't be answered at once is in flight. */
  #await(pending: PendingRequest, result: Promise<unknown>): void {
    this.#pending.add(pending);
    if (pending.requestId !== null) this.#idsInFlight.add(pending.requestId);
    this.host.requestDeadlines.add(pending);
    result.then(
      (value) => this.#settle(pending, () => this.#answer(pending, value)),
      (error: unknown) => this.#settle(pending, () => this.#answerFailure(pending, error)),
    );
  }

  /** The first answer counts; one that comes after a timeout or a close is dropped. */
  #settle(pending: PendingRequest, answer: () => void): void {
    if (!this.#pending.delete(pending)) return;
    if (pending.requestId !== null) this.#idsInFlight.delete(pending.requestId);
    this.host.requestDeadlines.delete(pending);
    answer();
    this.#endIfIdle();
  }

  #answer(pending: PendingRequest, result: unknown): void {
    const { requestId, command } = pending;
    try {
      if (result instanceof AttachedReply) this.#sendAttached(requestId, result);
      else this.#sendText(encodeSuccess(requestId, result));
    } catch (error) {
      const { text, detail } = toReplyError(error, command);
      this.host.log.error({ err: error, command }, "a reply can't be encoded");
      this.#send(toFailure(requestId, text, detail));
    }
  }

  #answerFailure({ command, requestId }: PendingRequest, error: unknown): void {
    const { text, detail, isInternal } = toReplyError(error, command);
    if (isInternal) this.host.log.error({ err: error, command }, text);
    this.#send(toFailure(requestId, text, detail));
  }

  #send(message: Outgoing): void {
    this.#sendText(JSON.stringify(message));
  }

  /** Puts a frame to those of this turn. */
  #sendText(json: string): void {
    if (!this.#canWrite(json.length)) return;
    this.#batch.add(json);
    if (this.#batch.frames >= this.#batchFrames || this.#batch.length >= MAX_BATCH_BYTES) {
      this.#flush();
    } else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      process.nextTick(() => {
        this.#isFlushDue = false;
        this.#flush();
      });
    }
  }

  #sendAttached(requestId: number | null, { result, attachment }: AttachedReply<unknown>): void {
    const head = encodeAttachmentHead(toSuccess(requestId, result), attachment.byteLength);
    if (!this.#canWrite(head.length + attachment.byteLength)) return;
    this.#flush();
    this.socket.cork();
    this.socket.write(head);
    this.socket.write(attachment);
    this.socket.uncork();
    this.#pauseIfUnread();
  }

  #write(frame: Buffer): void {
    if (!this.#canWrite(frame.length)) return;
    this.#flush();
    this.socket.write(frame);
    this.#pauseIfUnread();
  }

  /** Closes instead when the peer leaves too much unread. */
  #canWrite(bytes: number): boolean {
    const { socket } = this;
    if (socket.destroyed || this.#state === "closing") return false;
    const { maxOutputBytes } = this.host.limits;
    const unreadBytes = socket.writableLength + this.#batch.length;
    // A single frame may be larger than the buffer's bound; a peer that leaves others unread may not have it.
    if (unreadBytes === 0 || unreadBytes + bytes <= maxOutputBytes) return true;
    this.host.log.warn({ connection: this.id, unreadBytes }, "closed a connection that doesn't read");
    socket.destroy();
    return false;
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const bytes = this.#batch.take();
    if (this.socket.destroyed) return;
    this.socket.write(bytes, "latin1");
    this.#pauseIfUnread();
  }

  #pauseIfUnread(): void {
    if (this.#isPaused || this.socket.writableLength <= this.host.limits.pauseOutputBytes) return;
    this.#isPaused = true;
    this.socket.pause();
    this.host.lineDeadlines.delete(this);
  }

  #onDrained(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.socket.resume();
    if (this.#state === "reading") this.#watchLine(true);
  }

  /** The peer sends no more, and may still read: it gets its answers first. */
  #onPeerEnded(): void {
    if (this.#state === "reading" && this.#decoder.isPartial) {
      this.#send(badRequest(null, "the stream ended within a line"));
    }
    this.drain();
  }

  #endIfIdle(): void {
    if (this.#state === "ending" && this.#pending.size === 0) this.#close();
  }

  /** Sends what is buffered, then closes; a peer that doesn't close its side is cut off after a moment. */
  #close(): void {
    if (this.#state === "closing") return;
    this.#flush();
    this.#state = "closing";
    this.#forget("the connection is being closed");
    this.socket.end();
    this.socket.resume();
    this.host.lingerDeadlines.add(this);
  }

  #forget(why: string): void {
    this.host.lineDeadlines.delete(this);
    if (this.socket.destroyed) this.host.lingerDeadlines.delete(this);
    const reason = new Error(why);
    for (const pending of this.#pending) {
      this.host.requestDeadlines.delete(pending);
      pending.abort(reason);
    }
    this.#pending.clear();
    this.#idsInFlight.clear();
    this.#subscriptions.clear();
  }
}

function badRequest(requestId: number | null, reason: string): Outgoing {
  return toFailure(requestId, `bad request: ${reason}`, { kind: "badRequest", reason });
}
