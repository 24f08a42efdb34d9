import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/**
 * A core of a few lines that counts how often each request was executed: `test/count` with its `n`, which the reply
 * repeats. Any other command is answered as `health-check`. Its owner closes it.
 */
export class CountingCore implements AsyncDisposable {
  readonly executions = new Map<number, number>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens on `path`. */
  static async start(path: string): Promise<CountingCore> {
    const core = new CountingCore();
    core.#server.listen(path);
    await once(core.#server, "listening");
    return core;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("end", () => socket.end());
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      const lines = (text + chunk).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.#execute(socket, line);
    });
  }

  #execute(socket: Socket, line: string): void {
    const { command, requestId, n } = JSON.parse(line) as { command: string; requestId: number; n?: number };
    if (command === "test/count" && n !== undefined)
      this.executions.set(n, (this.executions.get(n) ?? 0) + 1);
    const result = command === "test/count" ? { n } : { healthy: true };
    const json = Buffer.from(JSON.stringify({ success: true, result, requestId }));
    const header = Buffer.alloc(4);
    header.writeUInt32BE(json.length);
    socket.write(Buffer.concat([header, json]));
  }
}
