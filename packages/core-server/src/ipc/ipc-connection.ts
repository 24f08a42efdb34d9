import type { AccessLevel } from "@continuum/wire-types";
import type { Socket } from "node:net";
import type { GrantedAccess, PushedEventName } from "../runtime/command-handlers.js";
import { ConnectionEnd } from "./connection-end.js";
import type { ConnectionHost, ConnectionRights } from "./connection-host.js";
import { ConnectionOutput, type OutputOwner } from "./connection-output.js";
import { Deadline } from "./deadline-list.js";
import { InFlightRequests } from "./in-flight-requests.js";
import { LineDecoder } from "./line-decoder.js";
import { LineQueue } from "./line-queue.js";
import { PendingRequest, type Requester } from "./pending-request.js";
import { decodeRequest } from "./request-decoder.js";
import {
  badRequest,
  encodeFrame,
  type Outgoing,
  overloaded,
  shuttingDown,
  toFailure,
} from "./response-encoder.js";
import type { Session } from "./session.js";
import { toLineCost, type TurnTaker } from "./turns.js";

/** Characters of lines that wait for their turn, above which no more are read. */
const MAX_WAITING_CHARS = 256 * 1024;

/** One peer: reads its requests, answers each, and pushes the events that it subscribed to. */
export class IpcConnection implements Requester, TurnTaker, OutputOwner {
  readonly #decoder: LineDecoder;
  readonly #session: Session;
  readonly #closeOnGarbage: boolean;
  readonly #inFlight: InFlightRequests;
  readonly #subscriptions = new Set<PushedEventName>();
  readonly #closeListeners = new Set<() => void>();
  /** Reading: requests are taken. Ending: those in flight are answered, no more are taken. Closing: nothing is answered. */
  #state: "reading" | "ending" | "closing" = "reading";
  /** Lines that wait for their turn; what comes after the last of them is done when it was served. */
  readonly #queue = new LineQueue();
  #afterQueue: "oversized" | "ended" | null = null;
  /** What the load was told that this connection holds. */
  #chargedBytes = 0;
  readonly #output: ConnectionOutput;
  readonly #end: ConnectionEnd;
  readonly #lineDeadline = new Deadline<IpcConnection>(this);
  readonly #tokenDeadline = new Deadline<IpcConnection>(this);

  constructor(
    readonly id: number,
    private readonly socket: Socket,
    private readonly host: ConnectionHost,
    rights: ConnectionRights,
    onClosed: () => void,
  ) {
    this.#output = new ConnectionOutput(socket, host, this);
    this.#end = new ConnectionEnd(socket, host, this);
    this.#inFlight = new InFlightRequests(host);
    this.#closeOnGarbage = rights.closeOnGarbage;
    this.#session = rights.session(this);
    if (this.#session.access === "none") host.tokenDeadlines.add(this.#tokenDeadline);
    this.#decoder = new LineDecoder(host.limits.maxLineBytes);
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    socket.on("end", () => this.#onPeerEnded());
    socket.on("drain", () => this.#onDrained());
    socket.on("error", (error) => host.log.debug({ err: error, connection: id }, "connection failed"));
    socket.on("close", () => {
      this.#forget("the connection closed");
      this.#output.letGo();
      this.#end.onClosed();
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

  /** It owes no token any more. */
  onAuthenticated(): void {
    this.host.tokenDeadlines.delete(this.#tokenDeadline);
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
    return this.#output.sendEvent(encodeFrame({ event, data }));
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
    if (this.#state === "reading" && this.#subscriptions.has(event)) this.#output.sendEvent(frame);
  }

  /** Serves lines that waited for their turn. */
  serveTurn(maxCost: number): number {
    let cost = 0;
    while (cost < maxCost && this.#isReading() && !this.#output.isPaused && this.#queue.length > 0) {
      const line = this.#queue.shift();
      cost += toLineCost(line?.length ?? 0);
      this.#onLine(line);
    }
    this.#output.flush();
    this.#goOn(true);
    return cost;
  }

  /** Answers what is in flight, takes nothing more, and closes. What waits for its turn is told that it won't be served. */
  drain(): void {
    if (this.#state !== "reading") return;
    this.#state = "ending";
    while (this.#queue.length > 0) this.#turnAway(this.#queue.shift());
    this.#takeNoMore();
    this.#endIfIdle();
  }

  /** Ends a drain that takes too long: what is still in flight is told so, and aborted. */
  giveUp(): void {
    for (const { requestId, command } of this.#inFlight.list()) {
      this.#output.send(shuttingDown(requestId, command, true));
    }
    // They are let go of, and aborted, with the connection.
    this.#close();
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
    this.#settle(pending, () => this.#output.send(toFailure(pending.requestId, text, detail)));
    pending.abort(new Error(text));
  }

  /** Gives up on a peer that doesn't finish its line, unless finished ones wait for the core; called by its deadline. */
  expireLine(): void {
    if (this.#queue.length > 0) return;
    this.#refuseAndClose(`the request line was not finished within ${this.host.limits.lineTimeoutMs} ms`);
  }

  /** Gives up on a peer that owes a token and doesn't present one; called by its deadline. */
  expireToken(): void {
    this.#refuseAndClose(`no token came within ${this.host.limits.tokenTimeoutMs} ms`);
  }

  /** The peer has left more unread than it is served with. */
  onOutputPaused(): void {
    this.#updateReading();
    this.host.lineDeadlines.delete(this.#lineDeadline);
  }

  onOutputHeld(): void {
    this.#charge();
  }

  onAttachmentsWritten(): void {
    this.#endIfIdle();
  }

  /** Ends a peer that doesn't read its events: it finds out why behind those that it is still owed, if it reads them in time. */
  onEventsUnread(unreadBytes: number): void {
    const { load, log } = this.host;
    load.droppedConnections += 1;
    log.warn({ connection: this.id, unreadBytes }, "closed a subscriber that doesn't read");
    this.#subscriptions.clear();
    this.#end.hurry();
    this.#output.send(overloaded(null, `events are lost: ${unreadBytes} bytes of them were left unread`));
    this.drain();
  }

  /** Says what is wrong, then closes: for a peer whose stream can't be understood any more. */
  #refuseAndClose(reason: string): void {
    this.#sayAndClose(badRequest(null, reason));
  }

  #sayAndClose(farewell: Outgoing): void {
    if (this.#state === "closing") return;
    this.#output.send(farewell);
    this.#close();
  }

  #onData(chunk: Buffer): void {
    // A peer that is being closed is read on for a moment, so that it isn't reset before it has read why.
    if (this.#state !== "reading" || this.#afterQueue === "oversized") return;
    this.host.spin?.end();
    const bytes = this.#decoder.partialBytes + chunk.length;
    const { lines, oversized } = this.#decoder.push(chunk);
    if (oversized) this.#afterQueue = "oversized";
    this.#output.expect(lines.length);
    let served = 0;
    if (this.#queue.length === 0 && lines.length > 0) {
      const granted = this.host.turns.grant(lines.length, bytes);
      while (served < granted && !this.#output.isPaused) {
        this.#onLine(lines[served] as string | null);
        served += 1;
        if (!this.#isReading()) return;
      }
    }
    this.#queue.push(lines, served);
    this.#output.flush();
    this.#goOn(lines.length > 0);
    this.#endIfGreedy();
  }

  /** Has what waits served in its turn, or sees to what came after the last line; and reads while there is room. */
  #goOn(isNewLine: boolean): void {
    if (this.#state === "reading" && !this.#output.isPaused) {
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
    const isFull = this.#output.isPaused || this.#queue.chars > MAX_WAITING_CHARS;
    if (isFull === this.socket.isPaused()) return;
    if (isFull) this.socket.pause();
    else this.socket.resume();
  }

  /** Tells the load what this connection holds in memory. */
  #charge(): void {
    const bytes = this.socket.destroyed ? 0 : this.#output.heldBytes + this.#inputBytes();
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
    if (!this.#decoder.isPartial || this.#output.isPaused) lineDeadlines.delete(this.#lineDeadline);
    else if (isNew || !lineDeadlines.has(this.#lineDeadline)) lineDeadlines.add(this.#lineDeadline);
  }

  #onLine(line: string | null): void {
    if (this.#session.access === "none") this.host.tokenDeadlines.add(this.#tokenDeadline);
    const request = decodeRequest(line);
    if (request.kind === "refused") {
      if (this.#closeOnGarbage && !request.isJson) this.#refuseAndClose(request.reason);
      else this.#output.send(badRequest(request.requestId, request.reason));
      return;
    }
    const { command, requestId, params } = request;
    if (requestId !== null && this.#inFlight.hasId(requestId)) {
      // Without the id: with it, this would be taken for the answer to the request that is in flight.
      this.#output.send(badRequest(null, `requestId ${requestId} is already in flight`));
      return;
    }
    const refusal = this.host.load.refusal(command, this.#inFlight.size);
    if (refusal !== null) {
      this.#output.send(overloaded(requestId, refusal));
      return;
    }
    const pending = new PendingRequest(command, requestId, this);
    let result: unknown;
    try {
      result = this.host.dispatch(command, params, pending);
    } catch (error) {
      this.#output.answerFailure(pending, error);
      return;
    }
    if (result instanceof Promise) this.#await(pending, result);
    else this.#output.answer(pending, result);
  }

  /** Says of a line that came that it isn't served any more. */
  #turnAway(line: string | null): void {
    const request = decodeRequest(line);
    if (request.kind === "refused") this.#output.send(badRequest(request.requestId, request.reason));
    else this.#output.send(shuttingDown(request.requestId, request.command, false));
  }

  /** Only what can't be answered at once is in flight. */
  #await(pending: PendingRequest, result: Promise<unknown>): void {
    this.#inFlight.add(pending);
    result.then(
      (value) => this.#settle(pending, () => this.#output.answer(pending, value)),
      (error: unknown) => this.#settle(pending, () => this.#output.answerFailure(pending, error)),
    );
  }

  /** The first answer counts; one that comes after a timeout or a close is dropped. */
  #settle(pending: PendingRequest, answer: () => void): void {
    if (!this.#inFlight.delete(pending)) return;
    answer();
    this.#endIfIdle();
  }

  #onDrained(): void {
    if (this.#output.resume()) this.#goOn(true);
    else this.#charge();
  }

  /** The peer sends no more, and may still read: it gets its answers first. */
  #onPeerEnded(): void {
    if (this.#state === "reading" && this.#queue.length > 0) {
      this.#afterQueue ??= "ended";
      return;
    }
    if (this.#state === "reading" && this.#decoder.isPartial) {
      this.#output.send(badRequest(null, "the stream ended within a line"));
    }
    this.drain();
  }

  #endIfIdle(): void {
    if (this.#state === "ending" && this.#inFlight.size === 0 && !this.#output.hasWaiting) this.#close();
  }

  /** Sends what is buffered, then closes. */
  #close(): void {
    if (this.#state === "closing") return;
    this.#output.finish();
    this.#state = "closing";
    this.#forget("the connection is being closed");
    this.#end.begin(this.#output.isPaused);
  }

  #takeNoMore(): void {
    this.host.lineDeadlines.delete(this.#lineDeadline);
    this.host.tokenDeadlines.delete(this.#tokenDeadline);
    this.host.turns.delete(this);
    this.#queue.clear();
    this.#charge();
  }

  #forget(why: string): void {
    this.#takeNoMore();
    if (this.#inFlight.size > 0) this.#inFlight.abortAll(new Error(why));
    this.#subscriptions.clear();
  }
}
