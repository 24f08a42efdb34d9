import { connect, type Socket } from "node:net";
import { type BenchClient, type BenchSubject, fail, type PayloadName } from "../bench-subject.js";
import { COMMAND_NAMES } from "../payloads.js";
import { startFloorServer } from "./floor-subject.js";

const TIMEOUT_MS = 30_000;

/**
 * The existing client's algorithm, restated: a concat per chunk, a Map of pending requests, a timer and a write per
 * request. Its server is the floor's, which favours it. Here it stays connected.
 */
export const existingSubject: BenchSubject = {
  startServer: startFloorServer,
  startClient: async (socketPath, payload) => {
    const client = new ExistingClient(socketPath);
    await client.connect();
    return {
      issue: (done) => void client.request(COMMAND_NAMES[payload]).then(done, fail),
      close: () => client.disconnect(),
    };
  },
};

/** The same as it is used: connecting, calling and disconnecting for each command. */
export const existingPerCallSubject: BenchSubject = {
  startServer: startFloorServer,
  startClient: (socketPath: string, payload: PayloadName): Promise<BenchClient> => {
    const call = async (): Promise<void> => {
      const client = new ExistingClient(socketPath);
      await client.connect();
      await client.request(COMMAND_NAMES[payload]);
      void client.disconnect();
    };
    return Promise.resolve({
      issue: (done) => void call().then(done, fail),
      close: () => Promise.resolve(),
    });
  },
};

/** The algorithm; also what the attachments are held against. */
export class ExistingClient {
  #socket: Socket | null = null;
  #buffer = Buffer.alloc(0);
  #lastId = 0;
  readonly #pending = new Map<number, (reply: Record<string, unknown>) => void>();

  /** Called for each chunk that came. */
  onChunk = (): void => undefined;

  /** Bytes of a reply that isn't complete yet. */
  get bufferedBytes(): number {
    return this.#buffer.length;
  }

  constructor(private readonly socketPath: string) {}

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.socketPath);
      this.#socket = socket;
      socket.on("connect", () => resolve());
      socket.on("error", reject);
      socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    });
  }

  request(command: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    this.#lastId += 1;
    const requestId = this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(requestId);
        reject(new Error(`${command}: no answer`));
      }, TIMEOUT_MS);
      this.#pending.set(requestId, (reply) => {
        clearTimeout(timer);
        this.#pending.delete(requestId);
        resolve(reply);
      });
      this.#socket?.write(`${JSON.stringify({ command, requestId, ...params })}\n`);
    });
  }

  disconnect(): Promise<void> {
    return new Promise((resolve) => this.#socket?.destroy().once("close", () => resolve()));
  }

  #onData(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    this.onChunk();
    while (this.#buffer.length >= 4) {
      const end = 4 + this.#buffer.readUInt32BE(0);
      if (this.#buffer.length < end) return;
      const payload = this.#buffer.subarray(4, end);
      this.#buffer = this.#buffer.subarray(end);
      const separator = payload.indexOf(0);
      const json = separator < 0 ? payload : payload.subarray(0, separator);
      const reply = JSON.parse(json.toString("utf8")) as Record<string, unknown>;
      this.#pending.get(reply["requestId"] as number)?.(reply);
    }
  }
}
