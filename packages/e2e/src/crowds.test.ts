import { RustCoreIPCClient } from "@continuum/ipc-client";
import { seededRandom } from "@continuum/tools/seeded-random";
import type { RuntimeMetrics } from "@continuum/wire-types";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CoreProcess, startCore, until } from "./support/core-process.js";
import { CrowdPeer } from "./support/crowd-peer.js";
import { measureProcess } from "./support/measure-process.js";

const isLong = process.env["CONTINUUM_LONG_TESTS"] === "1";
const SUBSCRIBERS = isLong ? 10_000 : 1_000;
const BUSY_CLIENTS = isLong ? 1_000 : 100;
const REPLIES_EACH = 200;
const GREEDY_IN_FLIGHT = 8_192;
/** What the core serves of all that waits before it looks at its sockets again. */
const REQUESTS_PER_TURN = 1_024;
const DROPPED_CONNECTIONS = isLong ? 100_000 : 5_000;
const MAX_BYTES_EACH = 24 * 1024;
/** What the heap grows by under load whoever asks, before the collector sees to it. */
const MAX_LOAD_BYTES = 96 * 1024 * 1024;
const withinMs = isLong ? 600_000 : 60_000;

const SUBSCRIBE = '{"command":"events/subscribe","events":["pressure-state"],"requestId":1}\n';
/** Short on both sides: as much of it as possible goes through a socket at once. */
const ASK_FOR_LITTLE = '{"command":"events/unsubscribe","events":[]}\n';
const ASK = '{"command":"system/pressure-broker-state"}\n';

/** A dose of `npm run bench -- ipc-crowd`, in counts: whoever comes in great number costs little, and starves nobody. */
describe("crowds at a core", () => {
  let core: CoreProcess;
  let client: RustCoreIPCClient;
  let metricsBefore: RuntimeMetrics;
  let before: ReturnType<typeof measureProcess>;
  const subscribers: CrowdPeer[] = [];
  let healthyAnswers = 0;
  let isOver = false;
  let asking: Promise<void>;

  beforeAll(async () => {
    core = await startCore({
      args: [
        ...["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "1000"],
        ...["--max-connections", String(SUBSCRIBERS + BUSY_CLIENTS + 1_000), "--log-level", "error"],
      ],
    });
    client = new RustCoreIPCClient({ url: core.url });
    metricsBefore = await client.runtimeMetrics();
    before = measureProcess(core.pid);
    // Whoever asks for a little is answered throughout: a single failure ends it, and the tests with it.
    asking = (async () => {
      while (!isOver) {
        await client.healthCheck({ timeoutMs: 10_000 });
        healthyAnswers += 1;
        await pause(5);
      }
    })();
    asking.catch(() => undefined); // Awaited with every test.
  }, 60_000);
  afterAll(async () => {
    for (const { socket } of subscribers) socket.destroy();
    await client.close();
    await core[Symbol.asyncDispose]();
  });

  /** Runs a test's crowd; the healthy client must have had its answers meanwhile. */
  const beside = async (crowd: () => Promise<void>): Promise<void> => {
    const first = healthyAnswers;
    await Promise.race([crowd(), asking]);
    expect(isOver).toBe(false);
    await until(
      () => (healthyAnswers >= first + 10 ? true : undefined),
      10_000,
      () => `${healthyAnswers - first} answers`,
    );
  };

  it(
    `${SUBSCRIBERS} subscribers get every event, for a few KiB each`,
    () =>
      beside(async () => {
        for (let index = 0; index < SUBSCRIBERS; index += 1) {
          const peer = await CrowdPeer.connect(core.socketPath);
          peer.socket.write(SUBSCRIBE);
          subscribers.push(peer);
        }
        await untilAll(subscribers, 1);
        for (const peer of subscribers) peer.frames = 0;
        await untilAll(subscribers, 3);
        const counts = subscribers.map(({ frames }) => frames);
        // A round may be under way while this looks.
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        expect(measureProcess(core.pid).rssBytes - before.rssBytes).toBeLessThan(
          SUBSCRIBERS * MAX_BYTES_EACH + MAX_LOAD_BYTES / 4,
        );
      }),
    withinMs,
  );

  it(
    `${BUSY_CLIENTS} busy clients are served alike, beside one that keeps ${GREEDY_IN_FLIGHT} requests in flight`,
    () =>
      beside(async () => {
        let resolve = (): void => undefined;
        const enough = new Promise<void>((done) => (resolve = done));
        let replies = 0;
        const busy: CrowdPeer[] = [];
        for (let index = 0; index < BUSY_CLIENTS; index += 1) {
          busy.push(
            await CrowdPeer.connect(core.socketPath, ({ socket }) => {
              replies += 1;
              if (replies < BUSY_CLIENTS * REPLIES_EACH) socket.write(ASK);
              else resolve();
            }),
          );
        }
        const greedy = await CrowdPeer.connect(core.socketPath, ({ socket }, count) =>
          socket.write(ASK_FOR_LITTLE.repeat(count)),
        );
        greedy.socket.write(ASK_FOR_LITTLE.repeat(GREEDY_IN_FLIGHT));
        for (const { socket } of busy) socket.write(ASK);
        await enough;
        const counts = busy.map(({ frames }) => frames);
        for (const { socket } of [...busy, greedy]) socket.destroy();
        expect(Math.min(...counts)).toBeGreaterThan(REPLIES_EACH / 2);
        expect(Math.max(...counts)).toBeLessThan(REPLIES_EACH * 2);
        // Nobody waits for more than a few turns of it. Without turns it is 20,000 requests each time.
        expect(greedy.frames).toBeGreaterThan(0);
        expect(greedy.frames).toBeLessThan(4 * REQUESTS_PER_TURN * REPLIES_EACH);
      }),
    withinMs,
  );

  it(
    `${DROPPED_CONNECTIONS} connections that are opened and dropped leave nothing behind`,
    () =>
      beside(async () => {
        const random = seededRandom(1);
        const openings = ["", '{"command":"hea', "\n", ASK, Buffer.from([0xff, 0xff, 0xff, 0xff])];
        for (let done = 0; done < DROPPED_CONNECTIONS; done += 100) {
          const drop = async (): Promise<void> => {
            const { socket } = await CrowdPeer.connect(core.socketPath);
            const closed = once(socket, "close");
            socket.write(openings[Math.floor(random() * openings.length)] ?? "");
            if (random() < 0.5) socket.destroy();
            else socket.end();
            await closed;
          };
          await Promise.all(Array.from({ length: 100 }, drop));
        }
        // The subscribers are still there, and the client.
        const left = (): number => measureProcess(core.pid).files - before.files - SUBSCRIBERS;
        await until(
          () => (left() <= 2 ? true : undefined),
          30_000,
          () => `${left()} files are left`,
        );
        const { connections, refusedConnections, droppedConnections } = await client.runtimeIpc();
        expect({ connections, refusedConnections, droppedConnections }).toEqual({
          connections: SUBSCRIBERS + 1,
          refusedConnections: 0,
          droppedConnections: 0,
        });
      }),
    withinMs,
  );

  it("no tick was missed, and the memory is bounded", async () => {
    const after = await client.runtimeMetrics();
    isOver = true;
    await asking;
    const of = (metrics: RuntimeMetrics, key: "ticks" | "missedTicks"): number =>
      metrics.modules.reduce((sum, module) => sum + module[key], 0);
    expect(of(after, "ticks")).toBeGreaterThanOrEqual(of(metricsBefore, "ticks") + 3);
    expect(of(after, "missedTicks")).toBe(of(metricsBefore, "missedTicks"));
    expect(measureProcess(core.pid).rssBytes - before.rssBytes).toBeLessThan(
      SUBSCRIBERS * MAX_BYTES_EACH + MAX_LOAD_BYTES,
    );
  });
});

/** Waits until each has so many frames. */
function untilAll(peers: readonly CrowdPeer[], frames: number): Promise<true> {
  return until(
    () => (peers.every((peer) => peer.frames >= frames) ? true : undefined),
    30_000,
    () => `${peers.filter((peer) => peer.frames < frames).length} have fewer than ${frames} frames`,
  );
}
