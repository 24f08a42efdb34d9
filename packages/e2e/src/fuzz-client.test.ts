import { seededRandom } from "@continuum/tools/seeded-random";
import { CommandError, ConnectionError, RustCoreIPCClient } from "@continuum/ipc-client";
import { DecodeError } from "@continuum/wire-types";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mutateBytes, sampleResponsePayloads } from "./support/fuzz-bytes.js";

const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const FRAMES = isLong ? 10_000_000 : 100_000;
const seed = Number(process.env["CONTINUUM_FUZZ_SEED"] ?? 1);
/** One frame in so many is mangled, and usually ends the connection. */
const MANGLED = 2_000;
const FRAMES_PER_CALL = 200;

/** Whatever a core sends, every call of a client ends, in a result or in a typed error, and the client goes on. */
describe("a client under fuzz", () => {
  const random = seededRandom(seed);
  const payloads = sampleResponsePayloads(4_000, seed);
  const sockets = new Set<Socket>();
  let directory = "";
  let path = "";
  let server: Server;
  let sent = 0;
  let isHonest = false;
  let isOver = false;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "fuzz-"));
    path = join(directory, "core.sock");
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
      let text = "";
      socket.on("data", (chunk) => {
        const lines = (text + chunk.toString()).split("\n");
        text = lines.pop() ?? "";
        for (const line of lines) answer(socket, line);
      });
    });
    server.listen(path);
    await once(server, "listening");
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    const closed = once(server, "close");
    server.close();
    await closed;
    await rm(directory, { recursive: true, force: true });
  });

  const answer = (socket: Socket, line: string): void => {
    const { requestId, n } = JSON.parse(line) as { requestId: number; n?: number };
    const parts: Buffer[] = [];
    if (!isHonest) {
      for (let i = 0; i < FRAMES_PER_CALL; i += 1) {
        const payload = payloads[Math.floor(random() * payloads.length)] ?? Buffer.alloc(0);
        const framed = frame(isSound(payload) ? payload : Buffer.from("{}"));
        parts.push(random() * MANGLED < 1 ? mutateBytes(framed, random) : framed);
      }
      sent += FRAMES_PER_CALL;
    }
    parts.push(frame(Buffer.from(JSON.stringify({ success: true, result: { n: n ?? null }, requestId }))));
    socket.write(Buffer.concat(parts));
  };

  it(
    `takes ${FRAMES} frames`,
    async () => {
      const client = new RustCoreIPCClient({
        url: path,
        requestTimeoutMs: 20_000,
        maxFrameBytes: 256 * 1024,
      });
      const events: unknown[] = [];
      const errors = new Map<string, number>();
      try {
        const listen = async (): Promise<void> => {
          // An event that can't be decoded ends its stream with a typed error; then there is another.
          for (;;) {
            try {
              for await (const event of client.events("pressure-alert")) events.push(event);
              return;
            } catch (error) {
              if (isOver) return;
              const isTyped = [DecodeError, CommandError, ConnectionError].some(
                (each) => error instanceof each,
              );
              if (!isTyped) throw error;
            }
          }
        };
        const listening = listen();
        listening.catch(() => undefined); // Awaited below.
        const caller = async (): Promise<void> => {
          while (sent < FRAMES && !isOver) {
            try {
              await client.request("test/echo", { n: sent });
            } catch (error) {
              if (!(error instanceof CommandError || error instanceof ConnectionError)) throw error;
              // A mangled length swallows what follows, and no more than a frame may hold: nobody waits for ever.
              if (error instanceof ConnectionError && error.code === "timeout") throw error;
              errors.set(error.name, (errors.get(error.name) ?? 0) + 1);
            }
          }
        };
        await Promise.race([Promise.all(Array.from({ length: 16 }, caller)), listening]);
        // Both kinds of trouble were met, and now the core is honest again.
        expect([...errors.keys()].sort()).toEqual(["CommandError", "ConnectionError"]);
        isHonest = true;
        for (const socket of sockets) socket.destroy();
        for (let n = 1; n <= 100; n += 1) {
          const { result } = await client.request("test/echo", { n }).catch(async (error: unknown) => {
            // The first one may still have gone over the connection that was just broken.
            if (!(error instanceof ConnectionError)) throw error;
            return client.request("test/echo", { n });
          });
          expect(result).toEqual({ n });
        }
        isOver = true;
        await client.close();
        await listening;
        expect(events.length).toBeGreaterThan(0);
      } finally {
        isOver = true;
        await client.close();
      }
    },
    isLong ? 3_600_000 : 120_000,
  );
});

/** Whether a payload leaves the stream understood: the others come only as mangled ones do, now and then. */
function isSound(payload: Buffer): boolean {
  const zero = payload.indexOf(0);
  try {
    const value: unknown = JSON.parse((zero < 0 ? payload : payload.subarray(0, zero)).toString("utf8"));
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    const { requestId, success } = value as { requestId?: unknown; success?: unknown };
    return requestId === undefined || typeof success === "boolean";
  } catch {
    return false;
  }
}

function frame(payload: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}
