import { seededRandom } from "@continuum/tools/seeded-random";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CoreProcess, startCore, until } from "./support/core-process.js";
import { mutateBytes, sampleRequestLines } from "./support/fuzz-bytes.js";
import { HealthyPeer } from "./support/healthy-peer.js";
import { measureProcess } from "./support/measure-process.js";

const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const FRAMES = isLong ? 10_000_000 : 40_000;
const CONNECTIONS = isLong ? 100_000 : 3_000;
const seed = Number(process.env["CONTINUUM_FUZZ_SEED"] ?? 1);
/** What a core may take at most beside what it took before, in bytes. */
const MAX_GROWTH_BYTES = 256 * 1024 * 1024;

/** Whatever is sent to a core, it answers each line once, and a healthy client throughout; it grows and leaks nothing. */
describe("a core under fuzz", () => {
  let core: CoreProcess;
  let healthy: HealthyPeer;
  let before = { rssBytes: 0, files: 0 };

  beforeAll(async () => {
    core = await startCore({
      args: ["--docker-host", "unix:///nonexistent/docker.sock", "--log-level", "error"],
    });
    healthy = await HealthyPeer.connect(core.socketPath);
    await healthy.expectAnswer(30_000);
    before = measureProcess(core.pid);
  }, 60_000);
  afterAll(async () => {
    await healthy[Symbol.asyncDispose]();
    await core[Symbol.asyncDispose]();
  });

  it(
    `answers each of ${FRAMES} lines once`,
    async () => {
      const random = seededRandom(seed);
      const lines = sampleRequestLines(4_000, seed);
      const newline = Buffer.of(10);
      let sent = 0;
      let answers = 0;
      for (let round = 0; sent < FRAMES; round += 1) {
        const peer = await FuzzPeer.connect(core.socketPath);
        // One connection takes a good many batches, then another one does.
        for (let batch = 0; batch < 50 && sent < FRAMES; batch += 1) {
          const parts: Buffer[] = [];
          let count = 0;
          for (let i = 0; i < 500; i += 1) {
            const line = lines[Math.floor(random() * lines.length)] ?? newline;
            const bytes = random() < 0.4 ? mutateBytes(line, random) : line;
            // A mutation may make two of one.
            count += 1 + bytes.reduce((newlines, byte) => newlines + Number(byte === 10), 0);
            parts.push(bytes, newline);
          }
          await peer.send(Buffer.concat(parts), count);
          sent += count;
          answers += count;
        }
        peer.close();
        if (round % 5 === 0) await healthy.expectAnswer(30_000);
      }
      expect(answers).toBe(sent);
      await healthy.expectAnswer(30_000);
      expect(measureProcess(core.pid).rssBytes - before.rssBytes).toBeLessThan(MAX_GROWTH_BYTES);
    },
    isLong ? 3_600_000 : 120_000,
  );

  it(
    `lives through ${CONNECTIONS} connections that are opened and dropped`,
    async () => {
      const random = seededRandom(seed + 1);
      const openings = [
        Buffer.alloc(0),
        Buffer.from('{"command":"hea'),
        Buffer.from("\n"),
        Buffer.from([0xff, 0xff, 0xff, 0xff]),
      ];
      for (let done = 0; done < CONNECTIONS; done += 100) {
        await Promise.all(
          Array.from({ length: 100 }, async () => {
            const socket = connect(core.socketPath);
            socket.on("error", () => undefined);
            const closed = once(socket, "close");
            await Promise.race([once(socket, "connect"), closed]);
            socket.write(openings[Math.floor(random() * openings.length)] ?? "");
            if (random() < 0.5) socket.destroy();
            else socket.end();
            socket.resume();
            await closed;
          }),
        );
        if (done % 1_000 === 0) await healthy.expectAnswer(30_000);
      }
      await healthy.expectAnswer(30_000);
      // As many files as before, give or take what the core itself opens for a moment.
      await until(
        () => (measureProcess(core.pid).files <= before.files + 2 ? true : undefined),
        30_000,
        () => "files leak",
      );
      expect(measureProcess(core.pid).rssBytes - before.rssBytes).toBeLessThan(MAX_GROWTH_BYTES);
    },
    isLong ? 3_600_000 : 120_000,
  );

  it("lives through peers that begin a line and never end it, beside peers that never read", async () => {
    const sockets: Socket[] = [];
    try {
      for (let i = 0; i < 200; i += 1) {
        const socket = connect(core.socketPath);
        socket.on("error", () => undefined);
        await once(socket, "connect");
        sockets.push(socket);
        socket.pause();
        if (i % 2 === 0) socket.write('{"command":"health-check","padding":"' + "x".repeat(10_000));
        // Replies that nobody reads: the core stops reading, and keeps a bounded number of them.
        else socket.write('{"command":"system/resources","includeProcesses":true,"topN":100}\n'.repeat(200));
      }
      for (let i = 0; i < 20; i += 1) await healthy.expectAnswer(30_000);
      expect(measureProcess(core.pid).rssBytes - before.rssBytes).toBeLessThan(MAX_GROWTH_BYTES);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await healthy.expectAnswer(30_000);
  }, 120_000);
});

/** How an event's frame begins: it answers nothing. */
const EVENT_START = '{"event":';

/** A connection that counts answers and looks at nothing else. */
class FuzzPeer {
  #missing = 0;
  #frame: { length: number; seen: number; start: string } | null = null;
  #header = Buffer.alloc(0);
  #onAll: (() => void) | null = null;
  #onEnd: ((error: Error) => void) | null = null;

  private constructor(private readonly socket: Socket) {
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => this.#count(chunk));
    socket.on("close", () =>
      this.#onEnd?.(new Error(`the core closed; ${this.#missing} answers were still to come`)),
    );
  }

  static async connect(path: string): Promise<FuzzPeer> {
    const socket = connect(path);
    await once(socket, "connect");
    return new FuzzPeer(socket);
  }

  /** Sends lines and waits for as many answers. Rejects when the core closes instead, or answers too much. */
  async send(bytes: Buffer, lines: number): Promise<void> {
    this.#missing += lines;
    await new Promise<void>((resolve, reject) => {
      this.#onAll = resolve;
      this.#onEnd = reject;
      this.socket.write(bytes);
    });
    this.#onEnd = null;
  }

  close(): void {
    this.socket.destroy();
  }

  #count(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#frame === null) {
        const needed = 4 - this.#header.length;
        this.#header = Buffer.concat([this.#header, rest.subarray(0, needed)]);
        rest = rest.subarray(needed);
        if (this.#header.length === 4) {
          this.#frame = { length: this.#header.readUInt32BE(0), seen: 0, start: "" };
          this.#header = Buffer.alloc(0);
        }
        continue;
      }
      const frame = this.#frame;
      const taken = rest.subarray(0, frame.length - frame.seen);
      rest = rest.subarray(taken.length);
      frame.seen += taken.length;
      if (frame.start.length < EVENT_START.length) {
        frame.start = (frame.start + taken.toString("latin1", 0, EVENT_START.length)).slice(
          0,
          EVENT_START.length,
        );
      }
      if (frame.seen < frame.length) return;
      this.#frame = null;
      if (frame.start !== EVENT_START) this.#missing -= 1;
    }
    if (this.#missing < 0) this.#onEnd?.(new Error("the core answered more than it was asked"));
    else if (this.#missing === 0) this.#onAll?.();
  }
}
