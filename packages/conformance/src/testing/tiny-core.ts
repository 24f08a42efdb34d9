import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { frameBytes } from "../frame-bytes.js";

/** One thing that a core can get wrong. */
export type CoreFault =
  | "littleEndian"
  | "noRequestId"
  | "idAsText"
  | "chunkIsLine"
  | "answersTwice"
  | "prototypeCommands"
  | "endsOnGarbage"
  | "refusesUnknownKeys"
  | "clampsIds"
  | "onlyFirstLine"
  | "jsonPerFrameLine"
  | "dropsHalfClosed";

const STATS = { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false };
const RESULTS: Readonly<Record<string, unknown>> = {
  "health-check": { healthy: true },
  "system/docker-tier-stats": STATS,
  "system/docker-tier-probe": { kind: "unsupported", os: "test", reason: "a core for tests" },
  "system/pressure-broker-state": {
    globalPressure: 0,
    globalTier: "normal",
    pools: [],
    evictionsFired: 0,
    bytesFreedTotal: 0,
  },
  "system/resources": { timestampMs: 1, uptimeSeconds: 1 },
};

/** The smallest core that passes the protocol's vectors, with a fault if one is asked for. `await using` removes it. */
export class TinyCore implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();

  private constructor(
    readonly path: string,
    private readonly directory: string,
    private readonly server: Server,
    private readonly fault: CoreFault | null,
  ) {}

  /** Starts one on a socket of its own. */
  static async start(fault: CoreFault | null): Promise<TinyCore> {
    const directory = await mkdtemp(join(tmpdir(), "tiny-core-"));
    const server = createServer({ allowHalfOpen: true });
    const core = new TinyCore(join(directory, "core.sock"), directory, server, fault);
    server.on("connection", (socket) => core.#accept(socket));
    server.listen(core.path);
    await once(server, "listening");
    return core;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.server.listening) {
      const closed = once(this.server, "close");
      this.server.close();
      await closed;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    const { fault } = this;
    socket.on("end", () => (fault === "dropsHalfClosed" ? socket.destroy() : socket.end()));
    let partial = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      if (fault === "chunkIsLine") {
        this.#answer(socket, chunk);
        return;
      }
      partial = Buffer.concat([partial, chunk]);
      for (let end = partial.indexOf(10); end >= 0; end = partial.indexOf(10)) {
        this.#answer(socket, partial.subarray(0, end));
        partial = fault === "onlyFirstLine" ? Buffer.alloc(0) : partial.subarray(end + 1);
      }
    });
  }

  #answer(socket: Socket, line: Buffer): void {
    const { fault } = this;
    let request: { command?: unknown; requestId?: unknown };
    try {
      const value: unknown = JSON.parse(new TextDecoder("utf8", { fatal: true }).decode(line));
      if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError();
      request = value;
    } catch {
      if (fault === "endsOnGarbage") this.server.close();
      this.#send(socket, { success: false, error: "no request" });
      if (fault === "endsOnGarbage") for (const each of this.#sockets) each.destroy();
      return;
    }
    const { command, requestId, ...params } = request;
    const name = typeof command === "string" ? command : "";
    const isKnown = fault === "prototypeCommands" ? name in RESULTS : Object.hasOwn(RESULTS, name);
    const isRefused = fault === "refusesUnknownKeys" && Object.keys(params).length > 0;
    // JSON's own way to drop a key.
    const id = requestId === undefined ? {} : { requestId: this.#spellId(requestId) };
    const reply =
      isKnown && !isRefused
        ? { success: true, result: RESULTS[name] ?? null, ...id }
        : { success: false, error: `no command ${name}`, ...id };
    this.#send(socket, reply);
    if (fault === "answersTwice") this.#send(socket, reply);
  }

  #spellId(requestId: unknown): unknown {
    if (this.fault === "noRequestId") return undefined;
    if (this.fault === "idAsText") return String(requestId);
    return this.fault === "clampsIds" ? Number(requestId) | 0 : requestId;
  }

  #send(socket: Socket, message: unknown): void {
    const frame = frameBytes(message);
    if (this.fault === "littleEndian") frame.writeUInt32LE(frame.readUInt32BE(0), 0);
    const bytes = this.fault === "jsonPerFrameLine" ? Buffer.concat([frame, Buffer.from("\n")]) : frame;
    // A core that takes a moment for each answer, and has seen the end by then.
    if (this.fault === "dropsHalfClosed") setTimeout(() => socket.write(bytes), 20);
    else socket.write(bytes);
  }
}
