import type { AccessLevel } from "@continuum/wire-types";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { AttachedReply } from "../runtime/attached-reply.js";
import type { GrantedAccess, PushedEventName, RequestContext } from "../runtime/command-handlers.js";
import type { DeadlineList } from "./deadline-list.js";
import { FrameBatch } from "./frame-batch.js";
import type { IpcLimits } from "./ipc-limits.js";
import type { IpcLoad } from "./ipc-load.js";
import { LineDecoder } from "./line-decoder.js";
import { LineQueue } from "./line-queue.js";
import { PendingRequest, type Requester } from "./pending-request.js";
import { toReplyError } from "./reply-error.js";
import type { RequestSpin } from "./request-spin.js";
import { decodeRequest } from "./request-decoder.js";
import {
  encodeAttachmentHead,
  encodeFrame,
  encodeSuccess,
  type Outgoing,
  toFailure,
  toSuccess,
} from "./response-encoder.js";
import type { Session } from "./session.js";
import type { Turns, TurnTaker } from "./turns.js";

/** What a connection needs from its server; shared by all connections. */
export interface ConnectionHost {
  readonly limits: IpcLimits;
  readonly log: Logger;
  /** Answers a request, or gives a promise of the answer; throws or rejects for a failure. */
  readonly dispatch: (
    command: string,
    params: Readonly<Record<string, unknown>>,
    context: RequestContext,
  ) => unknown;
  readonly requestDeadlines: DeadlineList<PendingRequest>;
  readonly lineDeadlines: DeadlineList<IpcConnection>;
  readonly lingerDeadlines: DeadlineList<IpcConnection>;
  /** Of connections that owe a token and say nothing. */
  readonly tokenDeadlines: DeadlineList<IpcConnection>;
  /** Of connections that are closed for not reading, until they have read what they are owed. */
  readonly slowReaderDeadlines: DeadlineList<IpcConnection>;
  /** What all connections have under way. */
  readonly load: IpcLoad;
  /** Whose requests are served next. */
  readonly turns: Turns;
  /** Polls for the next request, where that is asked for. */
  readonly spin: RequestSpin | null;
}

/** What a connection's socket decides of it. */
export interface ConnectionRights {
  /** Made for the connection that it is given. */
  readonly session: (connection: IpcConnection) => Session;
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

/** So few requests are served as they come, without a look at whose turn it is. */
const FEW_LINES = 4;
/** Characters of lines that wait for their turn, above which no more are read. */
const MAX_WAITING_CHARS = 256 * 1024;

/** One peer: reads its requests, answers each, and pushes the events that it subscribed to. */
export class IpcConnection implements Requester, TurnTaker {
  readonly #decoder: LineDecoder;
  readonly #session: Session;
  readonly #closeOnGarbage: boolean;
  readonly #pending = new Set<PendingRequest>();
  readonly #idsInFlight = new Set<number>();
  readonly #subscriptions = new Set<PushedEventName>();
  readonly #closeListeners = new Set<() => void>();
  /** Reading: requests are taken. Ending: those in flight are answered, no more are taken. Closing: nothing is answered. */
  #state: "reading" | "ending" | "closing" = "reading";
  /** Lines that wait for their turn; what comes after the last of them is done when it was served. */
  readonly #queue = new LineQueue();
  #afterQueue: "oversized" | "ended" | null = null;
  /** Unread output is over its bound: nothing is served until the peer has read. */
  #isPaused = false;
  /** At least as much as the unread output that is events. */
  #eventBytes = 0;
  /** Unread output that is attachments: whoever gave them holds them anyway. */
  #attachedBytes = 0;
  /** What the load was told that this connection holds. */
  #chargedBytes = 0;
  /** Replies that aren't written yet; they are at the end of the turn. */
  readonly #batch = new FrameBatch();
  #batchFrames = MIN_BATCH_FRAMES;
  #isFlushDue = false;

  constructor(
    readonly id: number,
    private readonly socket: Socket,
    private readonly host: ConnectionHost,
    rights: ConnectionRights,
    onClosed: () => void,
  ) {
    this.#closeOnGarbage = rights.closeOnGarbage;
    this.#session = rights.session(this);
    if (this.#session.access === "none") host.tokenDeadlines.add(this);
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

  get access(): GrantedAccess {
    return this.#session.access;
  }

  get hasWrongToken(): boolean {
    return this.#session.hasWrongToken;
  }

  authenticate(token: string): AccessLevel | Promise<AccessLevel> {
    return this.#session.authenticate(token);
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
    return this.#writeEvent(encodeFrame({ event, data }));
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
    if (this.#state === "reading" && this.#subscriptions.has(event)) this.#writeEvent(frame);
  }

  /** Serves lines that waited for their turn. */
  serveTurn(maxLines: number): number {
    let served = 0;
    while (served < maxLines && this.#isReading() && !this.#isPaused && this.#queue.length > 0) {
      this.#onLine(this.#queue.shift());
      served += 1;
    }
    this.#flush();
    this.#goOn(true);
    return served;
  }

  /** Answers what is in flight, takes nothing more, and closes. */
  drain(): void {
    if (this.#state !== "reading") return;
    this.#state = "ending";
    this.#takeNoMore();
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

  /** Gives up on a peer that owes a token and doesn't present one; called by its deadline. */
  expireToken(): void {
    this.#refuseAndClose(`no token came within ${this.host.limits.tokenTimeoutMs} ms`);
  }

  /** Says what is wrong, then closes: for a peer whose stream can't be understood any more. */
  #refuseAndClose(reason: string): void {
    this.#sayAndClose(badRequest(null, reason));
  }

  #sayAndClose(farewell: Outgoing): void {
    if (this.#state === "closing") return;
    this.#send(farewell);
    this.#close();
  }

  #onData(chunk: Buffer): void {
    // A peer that is being closed is read on for a moment, so that it isn't reset before it has read why.
    if (this.#state !== "reading" || this.#afterQueue === "oversized") return;
    this.host.spin?.end();
    const { lines, oversized } = this.#decoder.push(chunk);
    if (oversized) this.#afterQueue = "oversized";
    this.#batchFrames = Math.max(MIN_BATCH_FRAMES, Math.ceil(lines.length / WRITES_PER_BATCH));
    let served = 0;
    if (this.#queue.length === 0) {
      const granted = lines.length <= FEW_LINES ? lines.length : this.host.turns.grant(lines.length);
      while (served < granted && !this.#isPaused) {
        this.#onLine(lines[served] as string | null);
        served += 1;
        if (!this.#isReading()) return;
      }
    }
    this.#queue.push(lines, served);
    this.#flush();
    this.#goOn(lines.length > 0);
    this.#endIfGreedy();
  }

  /** Has what waits served in its turn, or sees to what came after the last line; and reads while there is room. */
  #goOn(isNewLine: boolean): void {
    if (this.#state === "reading" && !this.#isPaused) {
      if (this.#queue.length > 0) this.host.turns.add(this);
      else this.#onCaughtUp(isNewLine);
    }
    this.#updateReading();
    this.#charge();
  }

  #onCaughtUp(isNewLine: boolean): void {
    if (this.#afterQueue === "oversized") {
      this.#refuseAndClose(`a request line is longer than ${this.host.limits.maxLineBytes} bytes`);
    } else if (this.#afterQueue === "ended") this.#onPeerEnded();
    else this.#watchLine(isNewLine);
  }

  #updateReading(): void {
    if (this.#state !== "reading") return;
    const isFull = this.#isPaused || this.#queue.chars > MAX_WAITING_CHARS;
    if (isFull === this.socket.isPaused()) return;
    if (isFull) this.socket.pause();
    else this.socket.resume();
  }

  /** Tells the load what this connection holds in memory. */
  #charge(): void {
    const { writableLength, writableHighWaterMark, destroyed } = this.socket;
    // Less than the socket's own mark isn't followed: nothing says when it was read.
    const output = writableLength >= writableHighWaterMark ? writableLength - this.#attachedBytes : 0;
    const bytes = destroyed ? 0 : output + this.#inputBytes();
    if (bytes === this.#chargedBytes) return;
    this.host.load.charge(bytes - this.#chargedBytes);
    this.#chargedBytes = bytes;
  }

  #inputBytes(): number {
    return this.#queue.chars + this.#decoder.partialBytes;
  }

  /** Where all connections together hold too much, those with more than their share of input are closed. */
  #endIfGreedy(): void {
    if (this.#inputBytes() === 0 || !this.host.load.isTooMuch(this.#inputBytes())) return;
    this.host.load.overloadedRequests += 1;
    this.#sayAndClose(overloaded(null, "the core's memory for requests is used up"));
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
    if (this.#session.access === "none") this.host.tokenDeadlines.add(this);
    const request = decodeRequest(line);
    if (request.kind === "refused") {
      if (this.#closeOnGarbage && !request.isJson) this.#refuseAndClose(request.reason);
      else this.#send(badRequest(request.requestId, request.reason));
      return;
    }
    const { command, requestId, params } = request;
    if (requestId !== null && this.#idsInFlight.has(requestId)) {
      // Without the id: with it, this would be taken for the answer to the request that is in flight.
      this.#send(badRequest(null, `requestId ${requestId} is already in flight`));
      return;
    }
    const refusal = this.host.load.refusal(command, this.#pending.size);
    if (refusal !== null) {
      this.#send(overloaded(requestId, refusal));
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
    this.host.load.begin();
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
    this.host.load.end(1);
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
    this.#attachedBytes += attachment.byteLength;
    this.socket.write(attachment, () => (this.#attachedBytes -= attachment.byteLength));
    this.socket.uncork();
    this.#pauseIfUnread();
  }

  /** Sends an event, unless too much of what was sent before is unread: then says so, and closes. */
  #writeEvent(frame: Buffer): boolean {
    const { writableLength } = this.socket;
    const unreadBytes = Math.min(this.#eventBytes, writableLength);
    if (writableLength > 0 && unreadBytes + frame.length > this.host.limits.maxEventBytes) {
      this.#dropSlowReader(unreadBytes);
      return false;
    }
    this.#eventBytes = unreadBytes + frame.length;
    this.#write(frame);
    return true;
  }

  /** Ends a peer that doesn't read its events: it finds out why behind those that it is still owed, if it reads them in time. */
  #dropSlowReader(unreadBytes: number): void {
    const { load, log, slowReaderDeadlines } = this.host;
    load.droppedConnections += 1;
    log.warn({ connection: this.id, unreadBytes }, "closed a subscriber that doesn't read");
    this.#subscriptions.clear();
    slowReaderDeadlines.add(this);
    this.#send(overloaded(null, `events are lost: ${unreadBytes} bytes of them were left unread`));
    this.drain();
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
    const { limits, load } = this.host;
    const unreadBytes = socket.writableLength + this.#batch.length;
    // A single frame may be larger than the buffer's bound; a peer that leaves others unread may not have it.
    const fits = unreadBytes + bytes <= limits.maxOutputBytes && !load.isTooMuch(unreadBytes);
    if (unreadBytes === 0 || fits) return true;
    load.droppedConnections += 1;
    this.host.log.warn({ connection: this.id, unreadBytes }, "closed a connection that doesn't read");
    socket.destroy();
    return false;
  }

  #flush(): void {
    if (this.#batch.length === 0) return;
    const bytes = this.#batch.take();
    if (this.socket.destroyed) return;
    this.socket.write(bytes, "latin1");
    this.host.spin?.begin();
    this.#pauseIfUnread();
  }

  #pauseIfUnread(): void {
    if (this.socket.writableNeedDrain) this.#charge();
    if (this.#isPaused || this.socket.writableLength <= this.host.limits.pauseOutputBytes) return;
    this.#isPaused = true;
    this.#updateReading();
    this.host.lineDeadlines.delete(this);
  }

  #onDrained(): void {
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#goOn(true);
    } else this.#charge();
  }

  /** The peer sends no more, and may still read: it gets its answers first. */
  #onPeerEnded(): void {
    if (this.#state === "reading" && this.#queue.length > 0) {
      this.#afterQueue ??= "ended";
      return;
    }
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
    const { lingerDeadlines, slowReaderDeadlines } = this.host;
    if (!slowReaderDeadlines.has(this)) lingerDeadlines.add(this);
    else this.socket.once("finish", () => lingerDeadlines.add(this));
  }

  #takeNoMore(): void {
    this.host.lineDeadlines.delete(this);
    this.host.tokenDeadlines.delete(this);
    this.host.turns.delete(this);
    this.#queue.clear();
    this.#charge();
  }

  #forget(why: string): void {
    this.#takeNoMore();
    if (this.socket.destroyed) {
      this.host.lingerDeadlines.delete(this);
      this.host.slowReaderDeadlines.delete(this);
    }
    this.host.load.end(this.#pending.size);
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

function overloaded(requestId: number | null, reason: string): Outgoing {
  return toFailure(requestId, `overloaded: ${reason}`, { kind: "overloaded", reason });
}
