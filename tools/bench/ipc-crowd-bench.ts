import { RustCoreIPCClient } from "@continuum/ipc-client";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BUSY_CLIENTS = 1_000;
const BUSY_MS = 6_000;
const GREEDY_IN_FLIGHT = 1_024;
const IDLE_SUBSCRIBERS = 10_000;
const PUSHES = 10;
const MAX_CONNECT_ATTEMPTS = 500;
const ASK = '{"command":"system/pressure-broker-state","requestId":1}\n';

/**
 * Crowds at one real core in a process of its own; the clients are bare sockets in this one. 1,000 busy clients, one request
 * in flight each, alone and beside one that keeps 1,024 in flight; then 10,000 that only listen.
 */
export async function benchIpcCrowd(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "continuum-crowd-"));
  const child = spawn(
    process.execPath,
    [
      "--conditions=@continuum/source",
      "--import",
      "tsx",
      join(import.meta.dirname, "../../packages/core-server/src/main.ts"),
      ...["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "1000"],
      ...["--max-connections", "12000", "--log-level", "error"],
    ],
    {
      env: { PATH: process.env["PATH"], HOME: home, CONTINUUM_HOME: home },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  try {
    await once(child.stdout, "data");
    const died = once(child, "exit").then(([code, signal]) => {
      throw new Error(`the core ended (${String(code ?? signal)})`);
    });
    return await Promise.race([measureAll(join(home, "core.sock")), died]);
  } finally {
    child.removeAllListeners("exit");
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    await rm(home, { recursive: true, force: true });
  }
}

async function measureAll(path: string): Promise<string> {
  await using client = new RustCoreIPCClient({ url: path });
  const alone = await measureBusy(client, path, 0);
  const beside = await measureBusy(client, path, GREEDY_IN_FLIGHT);
  const idle = await measureIdle(client, path);
  return [alone, beside, ...idle].join("\n");
}

async function measureBusy(client: RustCoreIPCClient, path: string, greedyInFlight: number): Promise<string> {
  const before = await client.runtimeMetrics();
  const sockets: Socket[] = [];
  const latenciesMs: number[][] = [];
  let isOver = false;
  for (let index = 0; index < BUSY_CLIENTS; index += 1) {
    const own: number[] = [];
    latenciesMs.push(own);
    sockets.push(await open(path));
  }
  let greedyReplies = 0;
  if (greedyInFlight > 0) {
    const greedy = await open(path);
    sockets.push(greedy);
    onFrames(greedy, (count) => {
      greedyReplies += count;
      if (!isOver) greedy.write(ASK.replace(',"requestId":1', "").repeat(count));
    });
    greedy.write(ASK.replace(',"requestId":1', "").repeat(greedyInFlight));
  }
  for (const [index, own] of latenciesMs.entries()) {
    const socket = sockets[index] as Socket;
    let sentMs = performance.now();
    onFrames(socket, () => {
      const nowMs = performance.now();
      own.push(nowMs - sentMs);
      sentMs = nowMs;
      if (!isOver) socket.write(ASK);
    });
    socket.write(ASK);
  }
  await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
  isOver = true;
  const after = await client.runtimeMetrics();
  for (const socket of sockets) socket.destroy();
  const p99s = latenciesMs.map((each) => quantile(each, 0.99)).sort((a, b) => a - b);
  const [median, slowest] = [quantile(p99s, 0.5), p99s.at(-1) ?? NaN];
  const replies = latenciesMs.reduce((sum, each) => sum + each.length, 0);
  const least = Math.min(...latenciesMs.map((each) => each.length));
  const ticks = (metrics: typeof after, key: "ticks" | "slowTicks" | "missedTicks"): number =>
    metrics.modules.reduce((sum, module) => sum + module[key], 0);
  const of = (key: Parameters<typeof ticks>[1]): number => ticks(after, key) - ticks(before, key);
  const who =
    greedyInFlight > 0 ? `${BUSY_CLIENTS} busy + 1 with ${greedyInFlight} in flight` : `${BUSY_CLIENTS} busy`;
  return (
    `${who}: ${Math.round(replies / (BUSY_MS / 1000))} replies/s` +
    (greedyInFlight > 0 ? ` and ${Math.round(greedyReplies / (BUSY_MS / 1000))}/s to the greedy one` : "") +
    `; p99 of the median client ${median.toFixed(1)} ms, of the slowest ${slowest.toFixed(1)} ms (${(slowest / median).toFixed(2)} x)` +
    `; replies of the least served ${least}, on average ${Math.round(replies / BUSY_CLIENTS)}` +
    `; ticks ${of("ticks")}, slow ${of("slowTicks")}, missed ${of("missedTicks")}; loop delay p99 ${after.eventLoopDelayP99Ms.toFixed(1)} ms`
  );
}

async function measureIdle(client: RustCoreIPCClient, path: string): Promise<string[]> {
  const before = await client.runtimeMetrics();
  const sockets: Socket[] = [];
  let count = 0;
  let firstMs = 0;
  let onAll: (spreadMs: number) => void = () => undefined;
  const subscribe = '{"command":"events/subscribe","events":["pressure-state"],"requestId":1}\n';
  for (let index = 0; index < IDLE_SUBSCRIBERS; index += 1) {
    const socket = await open(path);
    sockets.push(socket);
    socket.write(subscribe);
    await once(socket, "data");
    socket.on("data", () => {
      if (count === 0) firstMs = performance.now();
      count += 1;
      if (count < IDLE_SUBSCRIBERS) return;
      count = 0;
      onAll(performance.now() - firstMs);
    });
  }
  count = 0;
  const after = await client.runtimeMetrics();
  const spreadsMs: number[] = [];
  await new Promise<void>((resolve) => {
    onAll = (spreadMs) => {
      spreadsMs.push(spreadMs);
      if (spreadsMs.length === PUSHES + 1) resolve();
    };
  });
  // The first round was under way while the last ones subscribed.
  spreadsMs.shift();
  const ipc = await client.runtimeIpc();
  for (const socket of sockets) socket.destroy();
  const perConnection = (key: "rssBytes" | "heapUsedBytes"): string =>
    ((after[key] - before[key]) / IDLE_SUBSCRIBERS / 1024).toFixed(1);
  return [
    `${IDLE_SUBSCRIBERS} idle subscribers: ${perConnection("rssBytes")} KiB resident each (heap ${perConnection("heapUsedBytes")}), ${ipc.connections} connected`,
    `one event to all of them: first to last ${quantile(spreadsMs, 0.5).toFixed(0)} ms (median of ${spreadsMs.length}; ${Math.min(...spreadsMs).toFixed(0)} to ${Math.max(...spreadsMs).toFixed(0)}), receiving in one process included`,
  ];
}

async function open(path: string): Promise<Socket> {
  const socket = await connected(path);
  // A core that ends shows in its exit; one connection that it closes is a client that gets no more replies.
  socket.on("error", () => undefined);
  return socket;
}

/** Connects; again where the core's backlog is full, which the system says at once. */
async function connected(path: string): Promise<Socket> {
  for (let attempt = 1; ; attempt += 1) {
    const socket = connect(path);
    try {
      await once(socket, "connect");
      return socket;
    } catch (error) {
      const isFull = error instanceof Error && "code" in error && error.code === "EAGAIN";
      if (!isFull || attempt === MAX_CONNECT_ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Tells how many frames are complete with each chunk. */
function onFrames(socket: Socket, onCount: (count: number) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let count = 0;
    while (bytes.length >= 4 && bytes.length >= 4 + bytes.readUInt32BE(0)) {
      bytes = bytes.subarray(4 + bytes.readUInt32BE(0));
      count += 1;
    }
    rest = bytes;
    if (count > 0) onCount(count);
  });
}

function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}
