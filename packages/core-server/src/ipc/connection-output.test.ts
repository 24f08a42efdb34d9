import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { AttachedReply } from "../runtime/attached-reply.js";
import { recordingLog } from "../testing/recording-log.js";
import { tempDirectory } from "../testing/temp-directory.js";
import { SuccessHeads } from "./success-heads.js";
import { ConnectionOutput } from "./connection-output.js";
import { DEFAULT_IPC_LIMITS } from "./ipc-limits.js";
import { IpcLoad } from "./ipc-load.js";
import { encodeFrame } from "./response-encoder.js";

const MIB = 1024 * 1024;
const limits = {
  ...DEFAULT_IPC_LIMITS,
  maxEventBytes: 2 * MIB,
  pauseOutputBytes: 4 * MIB,
  maxOutputBytes: 8 * MIB,
};
const answered = { command: "x", requestId: 1 };

/** An output on a real socket, whose peer reads when it is told to. */
async function openOutput() {
  const home = await tempDirectory();
  const server = createServer({ allowHalfOpen: true }).listen(join(home.path, "s"));
  await once(server, "listening");
  const peer = connect(join(home.path, "s")).pause();
  const [socket] = (await once(server, "connection")) as [Socket];
  const { log, entries } = recordingLog();
  const load = new IpcLoad(limits);
  const owner = {
    id: 7,
    onOutputPaused: vi.fn(),
    onOutputHeld: vi.fn(),
    onEventsUnread: vi.fn(),
    onAttachmentsWritten: vi.fn(),
  };
  const attachmentDeadlines = { add: vi.fn(), delete: vi.fn() };
  const output = new ConnectionOutput(
    socket,
    { limits, log, load, spin: null, successHeads: new SuccessHeads(), attachmentDeadlines },
    owner,
  );
  const write = vi.spyOn(socket, "write");
  return {
    output,
    owner,
    socket,
    peer,
    load,
    entries,
    write,
    async [Symbol.asyncDispose]() {
      peer.destroy();
      socket.destroy();
      server.close();
      await once(server, "close");
      await home[Symbol.asyncDispose]();
    },
  };
}

describe("the output of a connection", () => {
  it("writes the replies of a turn at its end, at once, or in a few writes when many were asked for", async () => {
    await using rig = await openOutput();
    for (let i = 0; i < 7; i += 1) rig.output.answer(answered, i);
    expect(rig.write).not.toHaveBeenCalled();
    await Promise.resolve();
    await new Promise((resolve) => process.nextTick(resolve));
    expect(rig.write).toHaveBeenCalledTimes(1);
    rig.output.expect(400);
    for (let i = 0; i < 400; i += 1) rig.output.answer(answered, i);
    expect(rig.write).toHaveBeenCalledTimes(3);
  });

  it("writes an event behind the replies before it", async () => {
    await using rig = await openOutput();
    const frame = encodeFrame({ event: "e", data: 1 });
    rig.output.answer(answered, 1);
    expect(rig.output.sendEvent(frame)).toBe(true);
    expect(rig.write.mock.calls.map(([bytes]) => bytes)).toEqual([
      expect.stringContaining('"requestId":1'),
      frame,
    ]);
  });

  it("says that a result can't be encoded, and logs it", async () => {
    await using rig = await openOutput();
    rig.output.answer(answered, 1n);
    rig.output.flush();
    expect(rig.write.mock.calls[0]?.[0]).toMatch(/"success":false,.*"requestId":1,.*"internal"/u);
    expect(rig.entries).toMatchObject([{ msg: "a reply can't be encoded", command: "x" }]);
  });

  it("says it of one with an attachment at once, though others wait for the peer to read", async () => {
    await using rig = await openOutput();
    const attachment = Buffer.alloc(limits.maxOutputBytes);
    rig.output.answer(answered, new AttachedReply("first", attachment));
    rig.output.answer(answered, new AttachedReply(1n, attachment));
    rig.output.flush();
    expect(rig.write.mock.calls.at(-1)?.[0]).toMatch(/"success":false,.*"internal"/u);
    expect(rig.entries).toMatchObject([{ msg: "a reply can't be encoded", command: "x" }]);
  });

  it("pauses its owner once while too much is unread, and goes on when it is read", async () => {
    await using rig = await openOutput();
    for (let i = 0; i < 7; i += 1) {
      rig.output.answer(answered, "x".repeat(MIB));
      rig.output.flush();
    }
    expect(rig.output.isPaused).toBe(true);
    expect(rig.owner.onOutputPaused).toHaveBeenCalledTimes(1);
    expect(rig.owner.onOutputHeld).toHaveBeenCalled();
    expect(rig.output.heldBytes).toBe(rig.socket.writableLength);
    const drained = once(rig.socket, "drain");
    rig.peer.resume();
    await drained;
    expect([rig.output.resume(), rig.output.isPaused, rig.output.resume()]).toEqual([true, false, false]);
    expect(rig.output.heldBytes).toBe(0);
  });

  it("closes a connection that leaves more unread than may be", async () => {
    await using rig = await openOutput();
    for (let i = 0; i < 10; i += 1) rig.output.answer(answered, "x".repeat(MIB));
    expect(rig.socket.destroyed).toBe(true);
    expect(rig.load.droppedConnections).toBe(1);
    expect(rig.entries).toMatchObject([{ msg: "closed a connection that doesn't read", connection: 7 }]);
    expect(rig.write.mock.calls.length).toBeLessThan(10);
  });

  it("doesn't send an event when those before it are unread, whatever else is", async () => {
    await using rig = await openOutput();
    rig.output.answer(answered, "x".repeat(3 * MIB));
    const frame = Buffer.alloc(MIB);
    expect([1, 2, 3].map(() => rig.output.sendEvent(frame))).toEqual([true, true, false]);
    expect(rig.owner.onEventsUnread.mock.calls).toEqual([[2 * MIB]]);
    expect(rig.socket.destroyed).toBe(false);
  });

  it("doesn't count an attachment as held, and has one that doesn't fit beside it wait", async () => {
    await using rig = await openOutput();
    const reply = new AttachedReply({}, Buffer.alloc(5 * MIB));
    rig.output.answer(answered, reply);
    expect(rig.socket.writableLength).toBeGreaterThan(4 * MIB);
    expect(rig.output.heldBytes).toBeLessThan(MIB);
    expect(rig.output.isPaused).toBe(true);
    const { writableLength } = rig.socket;
    rig.output.answer(answered, reply);
    expect(rig.socket.destroyed).toBe(false);
    expect(rig.socket.writableLength).toBe(writableLength);
  });

  it("writes what it has when it is finished, and nothing after", async () => {
    await using rig = await openOutput();
    rig.output.answer(answered, 1);
    rig.output.finish();
    rig.output.answer(answered, 2);
    expect(rig.output.sendEvent(Buffer.alloc(1))).toBe(true);
    rig.output.flush();
    expect(rig.write).toHaveBeenCalledTimes(1);
  });
});
