import type { LoopSpin } from "@continuum/wire-types/low-latency";
import type { Logger } from "pino";
import type { RequestContext } from "../runtime/command-handlers.js";
import type { DeadlineList } from "./deadline-list.js";
import type { IpcConnection } from "./ipc-connection.js";
import type { IpcLimits } from "./ipc-limits.js";
import type { IpcLoad } from "./ipc-load.js";
import type { PendingRequest } from "./pending-request.js";
import type { Session } from "./session.js";
import type { SuccessHeads } from "./success-heads.js";
import type { Turns } from "./turns.js";
import type { WaitingAttachment } from "./waiting-attachment.js";

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
  /** Of connections that are being closed, until they have read what they are owed. */
  readonly slowReaderDeadlines: DeadlineList<IpcConnection>;
  /** Of replies whose attachments wait for the peer to read those before. */
  readonly attachmentDeadlines: DeadlineList<WaitingAttachment>;
  /** What all connections have under way. */
  readonly load: IpcLoad;
  /** Whose requests are served next. */
  readonly turns: Turns;
  /** Encodes what handlers give. */
  readonly successHeads: SuccessHeads;
  /** Polls for the next request, where that is asked for. */
  readonly spin: LoopSpin | null;
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
