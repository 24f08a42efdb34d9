import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { ClientVector, PeerMessage, PeerStep } from "./client-vector.js";
import { attachmentBytes, frameBytes } from "./frame-bytes.js";
import { matchPattern } from "./match-pattern.js";
import { splitBytes } from "./split-bytes.js";

/** A request as it came, in the order of its connection. */
interface TakenRequest {
  readonly requestId: unknown;
  readonly message: Readonly<Record<string, unknown>>;
}

/** A peer for clients that does what a vector says, on a Unix socket. Its owner closes it. */
export class ScriptedCore implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #problems: string[] = [];
  #accepted = 0;

  private constructor(
    private readonly scripts: ClientVector["connections"],
    /** Where each `everyPosition` is cut; null where nothing is. */
    private readonly cutAt: number | null,
  ) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens on `path`. */
  static async start(
    path: string,
    scripts: ClientVector["connections"],
    cutAt: number | null,
  ): Promise<ScriptedCore> {
    const core = new ScriptedCore(scripts, cutAt);
    core.#server.listen(path);
    await once(core.#server, "listening");
    return core;
  }

  /** What the client sent that its vector doesn't allow. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    // The close behind it is what counts; a script that still had something to send says so itself.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    const script = this.scripts[Math.min(this.#accepted, this.scripts.length - 1)] ?? [];
    this.#accepted += 1;
    const inbox = new Inbox(socket, (problem) => this.#problems.push(problem));
    this.#play(script, socket, inbox).catch((error: unknown) => {
      this.#problems.push(error instanceof Error ? error.message : String(error));
    });
  }

  async #play(script: readonly PeerStep[], socket: Socket, inbox: Inbox): Promise<void> {
    const taken: TakenRequest[] = [];
    for (const step of script) {
      if ("requests" in step) {
        for (const pattern of step.requests) {
          const request = await inbox.next();
          if (request === null) return;
          taken.push(request);
          const problem = matchPattern(pattern, request.message);
          if (problem !== null) this.#problems.push(`a request differs: ${problem}`);
        }
      } else if ("anyRequests" in step) {
        for (let i = 0; i < step.anyRequests; i++) {
          const request = await inbox.next();
          if (request === null) return;
          taken.push(request);
        }
      } else if ("send" in step) {
        const bytes = Buffer.concat(step.send.map((each) => messageBytes(each, taken)));
        const split = step.split === "everyPosition" ? { at: this.cutAt ?? 0 } : (step.split ?? "whole");
        for (const piece of splitBytes(bytes, split)) {
          if (socket.destroyed) return;
          socket.write(piece);
          if (split !== "whole") await new Promise((resolve) => setImmediate(resolve));
        }
      } else if (step.close === "end") {
        socket.end();
      } else {
        socket.destroy();
      }
    }
  }
}

/** How many bytes a vector's `everyPosition` sends; ids are taken to be of one digit. Null when it has none. */
export function cutLength({ connections }: ClientVector): number | null {
  const step = connections.flat().find((each) => "send" in each && each.split === "everyPosition");
  if (step === undefined || !("send" in step)) return null;
  const oneDigit = Array.from({ length: 9 }, (_, i) => ({ requestId: i + 1, message: {} }));
  return Buffer.concat(step.send.map((each) => messageBytes(each, oneDigit))).length;
}

function messageBytes(message: PeerMessage, taken: readonly TakenRequest[]): Buffer {
  if ("hex" in message) return Buffer.from(message.hex, "hex");
  if ("frame" in message) return frameBytes(message.frame, attachmentBytes(message.attachment ?? null));
  const number = "replyTo" in message ? message.replyTo : message.failTo;
  const requestId = taken[number]?.requestId;
  if (requestId === undefined)
    throw new Error(`a vector answers request ${number}, which it hasn't waited for`);
  if ("replyTo" in message) {
    const { result, attachment } = message;
    return frameBytes({ success: true, result, requestId }, attachmentBytes(attachment ?? null));
  }
  const { error, errorDetail } = message;
  return frameBytes({
    success: false,
    error,
    requestId,
    ...(errorDetail === undefined ? {} : { errorDetail }),
  });
}

/** The requests of a connection, held against the grammar of request lines. */
class Inbox {
  readonly #requests: TakenRequest[] = [];
  readonly #idsSeen = new Set<unknown>();
  #partial = Buffer.alloc(0);
  #isEnded = false;
  #wake: (() => void) | null = null;

  constructor(
    socket: Socket,
    private readonly onProblem: (problem: string) => void,
  ) {
    socket.on("data", (chunk: Buffer) => this.#onData(chunk));
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#isEnded = true;
        this.#wake?.();
      });
    }
  }

  /** The next request; null when the client has ended its side. */
  async next(): Promise<TakenRequest | null> {
    for (;;) {
      const request = this.#requests.shift();
      if (request !== undefined) return request;
      if (this.#isEnded) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #onData(chunk: Buffer): void {
    this.#partial = Buffer.concat([this.#partial, chunk]);
    for (;;) {
      const end = this.#partial.indexOf(0x0a);
      if (end < 0) break;
      this.#onLine(this.#partial.subarray(0, end).toString("utf8"));
      this.#partial = this.#partial.subarray(end + 1);
    }
    this.#wake?.();
  }

  #onLine(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      this.onProblem(`a request line isn't JSON: ${line.slice(0, 100)}`);
      return;
    }
    const shape = matchPattern({ command: { $kind: "string" }, requestId: { $kind: "number" } }, message);
    if (shape !== null) {
      this.onProblem(`a request line is no request: ${shape}`);
      return;
    }
    const request = message as Record<string, unknown>;
    const { requestId } = request;
    if (!Number.isSafeInteger(requestId) || (requestId as number) < 1) {
      this.onProblem(`a request id is no positive integer: ${String(requestId)}`);
    }
    if (this.#idsSeen.has(requestId)) this.onProblem(`the request id ${String(requestId)} came twice`);
    this.#idsSeen.add(requestId);
    this.#requests.push({ requestId, message: request });
  }
}
