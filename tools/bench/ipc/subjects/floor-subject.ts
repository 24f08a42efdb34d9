import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { BenchClient, BenchServer, BenchSubject, PayloadName } from "../bench-subject.js";
import { COMMAND_NAMES, RESULTS } from "../payloads.js";

const NEWLINE = 0x0a;

/**
 * The floor: the same JSON lines and frames over `net`, written and parsed, and nothing else. No table of requests, no
 * deadlines, no limits, no errors, no promises, no check of what came; what a chunk brought is answered in one write.
 */
export const floorSubject: BenchSubject = { startServer: startFloorServer, startClient };

/** Answers each line; also the server of the existing client's algorithm. */
export async function startFloorServer(socketPath: string, payload: PayloadName): Promise<BenchServer> {
  const result = RESULTS[payload];
  const server = createServer((socket) => {
    let rest: Buffer | null = null;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      const bytes: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
      const frames: Buffer[] = [];
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
        const { requestId } = JSON.parse(bytes.toString("utf8", start, end)) as { requestId: number };
        frames.push(toFrame(JSON.stringify({ success: true, result, requestId })));
        start = end + 1;
      }
      rest = start < bytes.length ? bytes.subarray(start) : null;
      const [only] = frames;
      if (only !== undefined) socket.write(frames.length === 1 ? only : Buffer.concat(frames));
    });
  });
  // As many may be waiting as a client that connects for each call has in flight.
  server.listen({ path: socketPath, backlog: 4_096 });
  await once(server, "listening");
  return { pid: process.pid, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

function toFrame(json: string): Buffer {
  const length = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeUInt32BE(length);
  frame.write(json, 4);
  return frame;
}

async function startClient(socketPath: string, payload: PayloadName): Promise<BenchClient> {
  const command = COMMAND_NAMES[payload];
  const socket = connect(socketPath);
  await once(socket, "connect");
  const waiting: (() => void)[] = [];
  let lastId = 0;
  let batch = "";
  let isReading = false;
  let rest: Buffer | null = null;
  const flush = (): void => {
    if (batch !== "") socket.write(batch);
    batch = "";
  };
  socket.on("data", (chunk: Buffer) => {
    const bytes: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let offset = 0;
    let done = 0;
    isReading = true;
    while (bytes.length - offset >= 4) {
      const end = offset + 4 + bytes.readUInt32BE(offset);
      if (end > bytes.length) break;
      JSON.parse(bytes.toString("utf8", offset + 4, end));
      offset = end;
      // Replies come in the order of the requests.
      waiting[done]?.();
      done += 1;
    }
    waiting.splice(0, done);
    rest = offset < bytes.length ? bytes.subarray(offset) : null;
    isReading = false;
    flush();
  });
  return {
    issue: (done) => {
      waiting.push(done);
      lastId += 1;
      if (batch === "" && !isReading) process.nextTick(flush);
      batch += `${JSON.stringify({ command, requestId: lastId })}\n`;
    },
    close: () => new Promise((resolve) => socket.destroy().once("close", () => resolve())),
  };
}
