import { Deadline } from "./deadline-list.js";

/** Whom an answer is for. */
export interface Answered {
  readonly command: string;
  readonly requestId: number | null;
}

/** A reply with an attachment, encoded: it can't fail any more when its turn comes. */
export interface AttachedFrame {
  readonly head: Buffer;
  readonly attachment: Uint8Array;
}

/** The output of a connection, as a reply that waits there sees it. */
export interface AttachmentOutput {
  expireAttachment(waiting: WaitingAttachment): void;
}

/** A reply with an attachment that waits until its peer has read those before it. */
export class WaitingAttachment {
  readonly deadline = new Deadline<WaitingAttachment>(this);

  constructor(
    readonly output: AttachmentOutput,
    readonly answered: Answered,
    readonly frame: AttachedFrame,
  ) {}
}
