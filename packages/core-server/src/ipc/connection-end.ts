import type { Socket } from "node:net";
import type { ConnectionHost } from "./connection-host.js";
import { Deadline } from "./deadline-list.js";
import type { IpcConnection } from "./ipc-connection.js";

/** How a connection ends that takes no more: its peer reads what it is owed and closes its side, or is cut off after a while. */
export class ConnectionEnd {
  readonly #lingerDeadline: Deadline<IpcConnection>;
  readonly #slowReaderDeadline: Deadline<IpcConnection>;

  constructor(
    private readonly socket: Socket,
    private readonly host: Pick<ConnectionHost, "lingerDeadlines" | "slowReaderDeadlines">,
    connection: IpcConnection,
  ) {
    this.#lingerDeadline = new Deadline(connection);
    this.#slowReaderDeadline = new Deadline(connection);
  }

  /** What the peer is owed it has to read within `slowReaderMs` from now on. */
  hurry(): void {
    this.host.slowReaderDeadlines.add(this.#slowReaderDeadline);
  }

  /**
   * Ends this side behind what is buffered, and reads on for a moment, so that the peer isn't reset before it has read all.
   * `isStallWatched` says that a peer that stops reading is cut off anyway: one that has ended its side, and reads, may
   * then take its time.
   */
  begin(isStallWatched: boolean): void {
    const { socket, host } = this;
    if (socket.readableEnded && socket.writableLength === 0) {
      // Both sides have said all: the system still delivers what it has, and closing costs half of ending first.
      socket.destroy();
      return;
    }
    socket.end();
    socket.resume();
    if (socket.writableLength === 0) {
      host.lingerDeadlines.add(this.#lingerDeadline);
      return;
    }
    socket.once("finish", () => host.lingerDeadlines.add(this.#lingerDeadline));
    const mayTakeTime = isStallWatched && socket.readableEnded;
    if (!mayTakeTime && !host.slowReaderDeadlines.has(this.#slowReaderDeadline)) this.hurry();
  }

  /** The connection is closed. */
  onClosed(): void {
    this.host.lingerDeadlines.delete(this.#lingerDeadline);
    this.host.slowReaderDeadlines.delete(this.#slowReaderDeadline);
  }
}
