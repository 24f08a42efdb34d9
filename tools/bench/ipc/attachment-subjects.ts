import { systemClock } from "@continuum/broker-core";
import { AttachedReply, decodeEndpoint, IpcServer } from "@continuum/core-server";
import { RustCoreIPCClient } from "@continuum/ipc-client";
import { Redis } from "ioredis";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { pino } from "pino";
import { type BenchServer, fail } from "./bench-subject.js";
import { ExistingClient } from "./subjects/existing-subject.js";
import { startRedis } from "./subjects/redis-subject.js";

/** Fetches attachments, one at a time; resolves with how many bytes came (fewer only where a limit of time was hit). */
export interface AttachmentClient {
  fetch(bytes: number): Promise<number>;
}

/** A way to have attachments. */
export interface AttachmentSubject {
  startServer(socketPath: string): Promise<BenchServer>;
  startClient(socketPath: string): Promise<AttachmentClient>;
}

/** The existing algorithm is given so long: it takes minutes for what others take milliseconds for. */
const EXISTING_LIMIT_MS = 10_000;

/** Everything that is compared, by its name in the table. */
export const ATTACHMENT_SUBJECTS = {
  "socket, drained": { startServer: startPlainServer, startClient: (path) => startRawClient(path, false) },
  floor: { startServer: startPlainServer, startClient: (path) => startRawClient(path, true) },
  continuum: { startServer: startCoreServer, startClient: (path) => Promise.resolve(startOurs(path, "own")) },
  "continuum, caller's buffer": {
    startServer: startCoreServer,
    startClient: (path) => Promise.resolve(startOurs(path, "into")),
  },
  "continuum, streamed": {
    startServer: startCoreServer,
    startClient: (path) => Promise.resolve(startOurs(path, "stream")),
  },
  "continuum, chunks reused": {
    startServer: startCoreServer,
    startClient: (path) => Promise.resolve(startOurs(path, "reuse")),
  },
  existing: { startServer: startPlainServer, startClient: startExisting },
  ioredis: { startServer: startRedis, startClient: startRedisClient },
} as const satisfies Record<string, AttachmentSubject>;

/** The name of a subject. */
export type AttachmentSubjectName = keyof typeof ATTACHMENT_SUBJECTS;

const command = "bench/attachment";
const kept = new Map<number, Buffer>();

/** The same bytes for every subject, made once for each length. */
function attachmentOf(bytes: number): Buffer {
  const made = kept.get(bytes) ?? Buffer.alloc(bytes, "größe\n\0");
  kept.clear();
  kept.set(bytes, made);
  return made;
}

/** Two writes, the second one of the attachment as it is: nothing can send it with less. */
async function startPlainServer(socketPath: string): Promise<BenchServer> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (line: Buffer) => {
      const { requestId, bytes } = JSON.parse(line.toString("utf8")) as { requestId: number; bytes: number };
      const json = Buffer.from(`${JSON.stringify({ success: true, result: { bytes }, requestId })}\0`);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(json.length + bytes);
      socket.write(Buffer.concat([header, json]));
      socket.write(attachmentOf(bytes));
    });
  });
  server.listen(socketPath);
  await once(server, "listening");
  return { pid: process.pid, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** The core's server with its limits; there is no command of the contract with an attachment. */
async function startCoreServer(socketPath: string): Promise<BenchServer> {
  const server = new IpcServer({
    endpoint: decodeEndpoint(socketPath, "bench"),
    dispatch: (_command, { bytes }) => new AttachedReply({ bytes }, attachmentOf(Number(bytes))),
    clock: systemClock,
    log: pino({ level: "silent" }),
  });
  await server.listen();
  return { pid: process.pid, close: () => server.close(0) };
}

/** A socket that reads into one buffer over and over, or into a new one of the right length. */
async function startRawClient(socketPath: string, keeps: boolean): Promise<AttachmentClient> {
  const scratch = Buffer.alloc(256 * 1024);
  let target: Buffer = scratch;
  let received = 0;
  let expected = 0;
  let onEnd = (): void => undefined;
  const socket: Socket = connect({
    path: socketPath,
    onread: {
      buffer: () => (keeps && received < target.length ? target.subarray(received) : scratch),
      callback: (bytes, buffer) => {
        if (expected === 0) expected = 4 + Buffer.from(buffer.buffer, buffer.byteOffset).readUInt32BE(0);
        received += bytes;
        if (received === expected) onEnd();
        return true;
      },
    },
  });
  await once(socket, "connect");
  return {
    fetch: (bytes) =>
      new Promise((resolve) => {
        received = 0;
        expected = 0;
        // The head was read to the scratch; a few bytes more than the attachment do no harm.
        if (keeps) target = Buffer.allocUnsafeSlow(bytes + 4096);
        onEnd = () => resolve(bytes);
        socket.write(`${JSON.stringify({ command, requestId: 1, bytes })}\n`);
      }),
  };
}

function startOurs(url: string, how: "own" | "into" | "stream" | "reuse"): AttachmentClient {
  const client = new RustCoreIPCClient({ url });
  let buffer = new Uint8Array(0);
  return {
    fetch: async (bytes) => {
      if (how === "stream" || how === "reuse") {
        let received = 0;
        const options = { reuseChunks: how === "reuse" };
        const { attachment } = await client.stream(command, { bytes }, options);
        for await (const chunk of attachment) received += (chunk as Buffer).length;
        return received;
      }
      // Filled once, as a buffer that is used again is.
      if (how === "into" && buffer.length < bytes) buffer = new Uint8Array(bytes).fill(1);
      const options = how === "into" ? { attachmentInto: buffer } : {};
      return (await client.request(command, { bytes }, options)).attachment?.length ?? fail("no attachment");
    },
  };
}

async function startExisting(socketPath: string): Promise<AttachmentClient> {
  const client = new ExistingClient(socketPath);
  await client.connect();
  return {
    fetch: (bytes) =>
      new Promise((resolve) => {
        const startedMs = performance.now();
        // Its own timers hardly get to run: each chunk looks at the clock.
        client.onChunk = () => {
          if (performance.now() - startedMs <= EXISTING_LIMIT_MS) return;
          resolve(client.bufferedBytes);
          void client.disconnect();
        };
        // Given up, it times out later, which is nobody's any more.
        client.request(command, { bytes }).then(
          () => resolve(bytes),
          () => resolve(0),
        );
      }),
  };
}

async function startRedisClient(socketPath: string): Promise<AttachmentClient> {
  const redis = new Redis({ path: socketPath, lazyConnect: true });
  await redis.connect();
  let stored = 0;
  return {
    fetch: async (bytes) => {
      if (stored !== bytes) await redis.set("attachment", attachmentOf(bytes));
      stored = bytes;
      return (await redis.getBuffer("attachment"))?.length ?? fail("no value");
    },
  };
}
