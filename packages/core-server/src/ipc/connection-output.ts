import type { LoopSpin } from "@continuum/wire-types/low-latency";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { AttachedReply } from "../runtime/attached-reply.js";
import type { DeadlineList } from "./deadline-list.js";
import { FrameBatch } from "./frame-batch.js";
import type { IpcLimits } from "./ipc-limits.js";
import type { IpcLoad } from "./ipc-load.js";
import { toReplyError } from "./reply-error.js";
import { encodeAttachmentHead, type Outgoing, toFailure, toSuccess } from "./response-encoder.js";
import type { SuccessHeads } from "./success-heads.js";
import {
  type Answered,
  type AttachedFrame,
  type AttachmentOutput,
  WaitingAttachment,
} from "./waiting-attachment.js";

/** What the output of a connection needs of its server. */
export interface OutputHost {
  readonly limits: Pick<IpcLimits, "maxEventBytes" | "maxOutputBytes" | "pauseOutputBytes" | "unreadReplyMs">;
  readonly log: Logger;
  readonly load: Pick<IpcLoad, "isTooMuch" | "droppedConnections">;
  readonly successHeads: SuccessHeads;
  readonly spin: Pick<LoopSpin, "begin"> | null;
  readonly attachmentDeadlines: Pick<DeadlineList<WaitingAttachment>, "add" | "delete">;
}

/** Whose output it is: told of what follows from a peer that doesn't read. */
export interface OutputOwner {
  readonly id: number;
  /** Unread output is over its bound: nothing is to be served until the peer has read. */
  onOutputPaused(): void;
  /** The socket holds as much as is followed. */
  onOutputHeld(): void;
  /** An event isn't sent, because so many bytes of those before it are unread. */
  onEventsUnread(unreadBytes: number): void;
  /** No attachment waits any more. */
  onAttachmentsWritten(): void;
}

/**
 * Replies of one turn leave in about so many writes: in one, the peer would have nothing to do meanwhile; in more,
 * system calls cost more than that.
 */
const WRITES_PER_BATCH = 2;
/** Fewer replies than this aren't worth a write of their own. */
const MIN_BATCH_FRAMES = 16;
/** With more replies at once, requests come so thick that neither side sleeps: polling would only take from who works. */
const FEW_FRAMES = 4;
/** So much is written at once, in bytes. */
const MAX_BATCH_BYTES = 256 * 1024;

/** What a connection writes: replies in few writes a turn, events at once, and never without a bound on what is unread. */
export class ConnectionOutput implements AttachmentOutput {
  /** Replies that aren't written yet; they are at the end of the turn. */
  readonly #batch = new FrameBatch();
  #batchFrames = MIN_BATCH_FRAMES;
  #isFlushDue = false;
  #isPaused = false;
  #isFinished = false;
  /** At least as much as the unread output that is events. */
  #eventBytes = 0;
  /** Unread output that is attachments: whoever gave them holds them anyway. */
  #attachedBytes = 0;
  /** Replies whose attachments wait until the peer has read those before. */
  readonly #waitingAttached: WaitingAttachment[] = [];
  /** Called when nothing was read for a while; made for those who don't read. */
  #onStalled: (() => void) | null = null;

  constructor(
    private readonly socket: Socket,
    private readonly host: OutputHost,
    private readonly owner: OutputOwner,
  ) {}

  /** Unread output is over its bound: nothing is served until the peer has read. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether attachments wait for their turn. */
  get hasWaiting(): boolean {
    return this.#waitingAttached.length > 0;
  }

  /** Unread bytes in the core's memory. Less than the socket's own mark isn't followed: nothing says when it was read. */
  get heldBytes(): number {
    const { writableLength, writableHighWaterMark } = this.socket;
    return writableLength >= writableHighWaterMark ? writableLength - this.#attachedBytes : 0;
  }

  /** So many requests came at once: their replies leave in a few writes. */
  expect(requests: number): void {
    this.#batchFrames = Math.max(MIN_BATCH_FRAMES, Math.ceil(requests / WRITES_PER_BATCH));
  }

  /** Puts a frame to those of this turn. */
  send(message: Outgoing): void {
    this.#sendText(JSON.stringify(message));
  }

  /** Answers a request with its result. */
  answer({ requestId, command }: Answered, result: unknown): void {
    try {
      if (result instanceof AttachedReply) this.#sendAttached({ requestId, command }, result);
      else this.#sendSuccess(requestId, this.host.successHeads.of(result));
    } catch (error) {
      const { text, detail } = toReplyError(error, command);
      this.host.log.error({ err: error, command }, "a reply can't be encoded");
      this.send(toFailure(requestId, text, detail));
    }
  }

  /** Answers a request with what its handler threw. */
  answerFailure({ requestId, command }: Answered, error: unknown): void {
    const { text, detail, isInternal } = toReplyError(error, command);
    if (isInternal) this.host.log.error({ err: error, command }, text);
    this.send(toFailure(requestId, text, detail));
  }

  /** Sends an event's frame, unless too much of those before it is unread: then its owner is told, and it is false. */
  sendEvent(frame: Buffer): boolean {
    const { writableLength } = this.socket;
    const unreadBytes = Math.min(this.#eventBytes, writableLength);
    if (writableLength > 0 && unreadBytes + frame.length > this.host.limits.maxEventBytes) {
      this.owner.onEventsUnread(unreadBytes);
      return false;
    }
    this.#eventBytes = unreadBytes + frame.length;
    this.#write(frame);
    return true;
  }

  /** Writes what was put together. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const { frames } = this.#batch;
    const bytes = this.#batch.take();
    if (this.socket.destroyed) return;
    this.socket.write(bytes, "latin1");
    if (frames <= FEW_FRAMES) this.host.spin?.begin();
    this.#pauseIfUnread();
  }

  /** The peer has read everything: what was paused may go on. Gives whether it was. */
  resume(): boolean {
    const wasPaused = this.#isPaused;
    this.#isPaused = false;
    if (wasPaused) this.socket.setTimeout(0, this.#onStalled ?? undefined);
    return wasPaused;
  }

  /** Gives up a reply that has waited too long for its peer to read; called by its deadline. */
  expireAttachment(waiting: WaitingAttachment): void {
    const { command, requestId } = waiting.answered;
    const timeoutMs = this.host.limits.unreadReplyMs;
    this.#waitingAttached.splice(this.#waitingAttached.indexOf(waiting), 1);
    const text = `${command}: its reply waited ${timeoutMs} ms for those before it to be read`;
    this.send(toFailure(requestId, text, { kind: "timeout", command, timeoutMs }));
    if (!this.hasWaiting) this.owner.onAttachmentsWritten();
  }

  /** The connection is closed: nothing is kept for it. */
  letGo(): void {
    for (const { deadline } of this.#waitingAttached.splice(0))
      this.host.attachmentDeadlines.delete(deadline);
  }

  /** Writes what was put together and what waits, and takes nothing more. */
  finish(): void {
    this.flush();
    const waiting = [...this.#waitingAttached];
    this.letGo();
    for (const { frame } of waiting) this.#writeAttached(frame);
    this.#isFinished = true;
  }

  #sendSuccess(requestId: number | null, head: string): void {
    if (!this.#canWrite(head.length)) return;
    this.#batch.addSuccess(head, requestId);
    this.#flushInTime();
  }

  #sendText(json: string): void {
    if (!this.#canWrite(json.length)) return;
    this.#batch.add(json);
    this.#flushInTime();
  }

  /** Writes what is collected when it is enough, and at the end of the turn. */
  #flushInTime(): void {
    if (this.#batch.frames >= this.#batchFrames || this.#batch.length >= MAX_BATCH_BYTES) {
      this.flush();
    } else if (!this.#isFlushDue) {
      this.#isFlushDue = true;
      process.nextTick(() => {
        this.#isFlushDue = false;
        this.flush();
      });
    }
  }

  /** One attachment may have any size; several are unread at once only as far as they fit the bound together. */
  #sendAttached(answered: Answered, { result, attachment }: AttachedReply<unknown>): void {
    const head = encodeAttachmentHead(toSuccess(answered.requestId, result), attachment.byteLength);
    const frame = { head, attachment };
    if (!this.hasWaiting && this.#hasRoomFor(frame)) {
      this.#writeAttached(frame);
      return;
    }
    const waiting = new WaitingAttachment(this, answered, frame);
    this.#waitingAttached.push(waiting);
    this.host.attachmentDeadlines.add(waiting.deadline);
  }

  #hasRoomFor({ attachment }: AttachedFrame): boolean {
    const { maxOutputBytes } = this.host.limits;
    return this.#attachedBytes === 0 || this.#attachedBytes + attachment.byteLength <= maxOutputBytes;
  }

  #writeAttached({ head, attachment }: AttachedFrame): void {
    const { byteLength } = attachment;
    if (!this.#canWrite(head.length)) return;
    this.flush();
    this.socket.cork();
    this.socket.write(head);
    this.#attachedBytes += byteLength;
    this.socket.write(attachment, () => {
      this.#attachedBytes -= byteLength;
      this.#writeWaiting();
    });
    this.socket.uncork();
    this.#pauseIfUnread();
  }

  #writeWaiting(): void {
    for (;;) {
      const next = this.#waitingAttached[0];
      if (next === undefined || this.socket.destroyed || !this.#hasRoomFor(next.frame)) return;
      this.#waitingAttached.shift();
      this.host.attachmentDeadlines.delete(next.deadline);
      this.#writeAttached(next.frame);
      if (!this.hasWaiting) this.owner.onAttachmentsWritten();
    }
  }

  #write(frame: Buffer): void {
    if (!this.#canWrite(frame.length)) return;
    this.flush();
    this.socket.write(frame);
    this.#pauseIfUnread();
  }

  /** Closes instead when the peer leaves too much unread. */
  #canWrite(bytes: number): boolean {
    if (this.socket.destroyed || this.#isFinished) return false;
    const { limits, load } = this.host;
    // Attachments have a bound of their own.
    const unreadBytes = this.socket.writableLength - this.#attachedBytes + this.#batch.length;
    // A single frame may be larger than the buffer's bound; a peer that leaves others unread may not have it.
    const fits = unreadBytes + bytes <= limits.maxOutputBytes && !load.isTooMuch(unreadBytes);
    if (unreadBytes === 0 || fits) return true;
    this.#drop(unreadBytes);
    return false;
  }

  #drop(unreadBytes: number): void {
    this.host.load.droppedConnections += 1;
    this.host.log.warn({ connection: this.owner.id, unreadBytes }, "closed a connection that doesn't read");
    this.socket.destroy();
  }

  #pauseIfUnread(): void {
    if (this.socket.writableNeedDrain) this.owner.onOutputHeld();
    if (this.#isPaused || this.socket.writableLength <= this.host.limits.pauseOutputBytes) return;
    this.#isPaused = true;
    this.#onStalled ??= () => this.#drop(this.socket.writableLength);
    // The socket's own clock, because nothing else sees that a part of one write was read.
    this.socket.setTimeout(this.host.limits.unreadReplyMs, this.#onStalled);
    this.owner.onOutputPaused();
  }
}
