import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const MAX_CONNECT_ATTEMPTS = 500;

/** One of many: a bare socket that counts frames and looks into none. */
export class CrowdPeer {
  frames = 0;
  #rest: Buffer = Buffer.alloc(0);

  private constructor(
    readonly socket: Socket,
    onFrames: (peer: CrowdPeer, count: number) => void,
  ) {
    // What the core closes gets no more frames: that is what tests look at.
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      const count = this.#take(chunk);
      this.frames += count;
      if (count > 0) onFrames(this, count);
    });
  }

  /** Connects; again where the core's backlog is full, which the system says at once. */
  static async connect(
    path: string,
    onFrames: (peer: CrowdPeer, count: number) => void = () => undefined,
  ): Promise<CrowdPeer> {
    for (let attempt = 1; ; attempt += 1) {
      const socket = connect(path);
      try {
        await once(socket, "connect");
        return new CrowdPeer(socket, onFrames);
      } catch (error) {
        const isFull = error instanceof Error && "code" in error && error.code === "EAGAIN";
        if (!isFull || attempt === MAX_CONNECT_ATTEMPTS) throw error;
        await pause(10);
      }
    }
  }

  /** How many frames are complete with this chunk. */
  #take(chunk: Buffer): number {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let count = 0;
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      bytes = bytes.subarray(4 + bytes.readUInt32BE(0));
      count += 1;
    }
    this.#rest = bytes;
    return count;
  }
}
