/** A client with one fault (its first argument), driven as the suite drives any other: what the vectors must catch. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { splitPayload } from "../frame-bytes.js";

const fault = process.argv[2] ?? "none";
const say = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

interface Operation {
  readonly id: number;
  readonly op: string;
  readonly url?: string;
  readonly command?: string;
  readonly params?: object;
  readonly timeoutMs?: number;
}

let socket: Socket | null = null;
let path = "";
let lastId = 0;
let buffered: Buffer = Buffer.alloc(0);
const pending = new Map<
  number,
  { readonly id: number; readonly line: string; readonly timer: NodeJS.Timeout }
>();

function dial(): Socket {
  buffered = Buffer.alloc(0);
  const opened = connect(path);
  opened.on("error", () => undefined);
  opened.on("data", (chunk: Buffer) => {
    buffered = fault === "chunkIsFrame" ? chunk : Buffer.concat([buffered, chunk]);
    while (buffered.length >= 4 && buffered.length >= 4 + buffered.readUInt32BE(0)) {
      const length = buffered.readUInt32BE(0);
      onPayload(buffered.subarray(4, 4 + length));
      buffered = fault === "oneFrameAChunk" ? Buffer.alloc(0) : buffered.subarray(4 + length);
    }
  });
  opened.on("close", () => {
    if (socket !== opened) return;
    socket = null;
    const open = [...pending];
    if (fault === "resendsAll" && open.length > 0) {
      socket = dial();
      for (const [, { line }] of open) socket.write(line);
      return;
    }
    for (const [requestId] of open) {
      const error = { kind: "connection", code: "closed", mayHaveExecuted: fault !== "deniesExecution" };
      settle(requestId, { error });
    }
  });
  return opened;
}

function onPayload(payload: Buffer): void {
  const whole = payload.toString("utf8");
  const { json, attachment } =
    fault === "lastZero" && payload.includes(0)
      ? {
          json: whole.slice(0, whole.indexOf("\0")),
          attachment: payload.subarray(payload.lastIndexOf(0) + 1),
        }
      : splitPayload(payload);
  const message = JSON.parse(json) as {
    success?: boolean;
    result?: unknown;
    error?: string;
    errorDetail?: unknown;
    requestId?: number;
  };
  const first = pending.keys().next().value ?? 0;
  const requestId = fault === "answersInOrder" ? first : (message.requestId ?? 0);
  if (message.success === true) {
    settle(requestId, { result: message.result, attachment: attachment?.toString("base64") ?? null });
  } else if (message.success === false) {
    const error = { kind: "command", message: message.error, detail: message.errorDetail };
    settle(requestId, fault === "swallowsRefusals" ? { result: null } : { error });
  }
}

function settle(requestId: number, outcome: object): void {
  const request = pending.get(requestId);
  if (request === undefined) return;
  pending.delete(requestId);
  clearTimeout(request.timer);
  say({ id: request.id, ...outcome });
}

for await (const text of createInterface({ input: process.stdin })) {
  const { id, op, url = "", command, params, timeoutMs } = JSON.parse(text) as Operation;
  if (op === "open" || op === "close") {
    const before = socket;
    socket = null;
    before?.destroy();
    path = url.slice("unix://".length);
    say({ id, ok: true });
  } else if (op === "request") {
    const requestId = fault === "reusesIds" ? 1 : (lastId += 1);
    const line = `${JSON.stringify({ command, requestId, ...params })}\n`;
    const expire = (): void =>
      settle(requestId, { error: { kind: "connection", code: "timeout", mayHaveExecuted: true } });
    pending.set(requestId, { id, line, timer: setTimeout(expire, timeoutMs) });
    socket ??= dial();
    socket.write(line);
  } else {
    say({ id, error: { kind: "other", message: `it can't ${op}` } });
  }
}
