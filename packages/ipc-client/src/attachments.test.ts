import { once } from "node:events";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { describe, expect, it } from "vitest";
import { ConnectionError } from "./connection-error.js";
import type { CoreClientOptions } from "./core-client-options.js";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { PeerConnection, ScriptedPeer } from "./testing/scripted-peer.js";

const MIB = 1024 * 1024;

function clientOf(peer: ScriptedPeer, options: CoreClientOptions = {}): RustCoreIPCClient {
  return new RustCoreIPCClient({ url: peer.path, ...options });
}

/** Bytes with zeros and newlines in them, different everywhere. */
function bytesOf(length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + (i >> 16) * 31) & 255));
}

describe("an attachment", () => {
  it("comes in a buffer of its own, other replies before and behind it", async () => {
    const bytes = bytesOf(300_000);
    await using peer = await ScriptedPeer.start(({ command, reply }) =>
      reply(command, command === "bytes" ? bytes : undefined),
    );
    await using client = clientOf(peer);
    const replies = await Promise.all(["a", "bytes", "b", "bytes"].map((command) => client.request(command)));
    expect(replies.map(({ result }) => result)).toEqual(["a", "bytes", "b", "bytes"]);
    expect(replies[1]?.attachment?.equals(bytes)).toBe(true);
    expect(replies[3]?.attachment?.equals(bytes)).toBe(true);
    expect(replies[1]?.attachment?.buffer).not.toBe(replies[3]?.attachment?.buffer);
    expect(replies[1]?.attachment?.buffer.byteLength).toBe(bytes.length);
  });

  it("is put where the caller says, and nothing beside it is touched", async () => {
    const bytes = bytesOf(200_000);
    await using peer = await ScriptedPeer.start(({ reply }) => reply("größe", bytes));
    await using client = clientOf(peer);
    const memory = new Uint8Array(bytes.length + 200).fill(9);
    const attachmentInto = memory.subarray(100, 150 + bytes.length);
    const { result, attachment } = await client.request("bytes", {}, { attachmentInto });
    expect(result).toBe("größe");
    expect(attachment?.buffer).toBe(memory.buffer);
    expect(attachment?.equals(bytes)).toBe(true);
    expect(Buffer.from(memory.subarray(100, 100 + bytes.length)).equals(bytes)).toBe(true);
    expect(
      [...memory.subarray(0, 100), ...memory.subarray(100 + bytes.length)].every((byte) => byte === 9),
    ).toBe(true);
  });

  it("that doesn't fit is a typed error, and nothing else is lost", async () => {
    await using peer = await ScriptedPeer.start(({ reply }) => reply("r", bytesOf(100_000)));
    await using client = clientOf(peer);
    const attachmentInto = new Uint8Array(99_999);
    const [before, refused, after] = await Promise.all([
      client.request("a"),
      client.request("b", {}, { attachmentInto }).catch((error: unknown) => error),
      client.request("c"),
    ]);
    expect(refused).toBeInstanceOf(ConnectionError);
    expect(refused).toMatchObject({ code: "tooSmall", mayHaveExecuted: true });
    expect((refused as Error).message).toBe(
      "b: the attachment has 100000 bytes, and the buffer for it 99999",
    );
    expect(before.attachment).toHaveLength(100_000);
    expect(after.attachment).toHaveLength(100_000);
    expect(attachmentInto.every((byte) => byte === 0)).toBe(true);
    expect(peer.connections).toHaveLength(1);
  });

  it("that is given up in its middle is dropped; the caller's buffer isn't written to any more", async () => {
    const bytes = bytesOf(4 * MIB);
    await using peer = await ScriptedPeer.start();
    await using client = clientOf(peer);
    for (const attachmentInto of [undefined, new Uint8Array(bytes.length)]) {
      const abort = new AbortController();
      const pending = client.request("bytes", {}, { attachmentInto, signal: abort.signal });
      const request = await peer.next();
      const frame = PeerConnection.frame(
        { success: true, result: null, requestId: request.requestId },
        bytes,
      );
      request.connection.write(frame.subarray(0, MIB));
      // More than the kernel holds: once it is all written, the client is in the middle of it.
      await expect.poll(() => request.connection.socket.writableLength).toBe(0);
      abort.abort(new Error("enough"));
      await expect(pending).rejects.toMatchObject({ code: "aborted" });
      const copy = attachmentInto?.slice();
      request.connection.write(frame.subarray(MIB));
      const next = client.request("next", {}, { timeoutMs: 5_000 });
      (await peer.next()).reply("next");
      expect((await next).result).toBe("next");
      if (copy !== undefined) expect(Buffer.compare(copy, attachmentInto ?? copy)).toBe(0);
    }
    // Only where the kernel might still have written into the caller's buffer was the connection given up.
    expect(peer.connections).toHaveLength(2);
  });
});

describe("a streamed attachment", () => {
  it("comes as it is, at any length", async () => {
    for (const length of [0, 1, 70_000, 5 * MIB + 3]) {
      const bytes = bytesOf(length);
      await using peer = await ScriptedPeer.start(({ reply }) => reply({ length }, bytes));
      await using client = clientOf(peer);
      const { result, attachmentBytes, attachment } = await client.stream("bytes");
      expect(result).toEqual({ length });
      expect(attachmentBytes).toBe(length);
      const chunks: Buffer[] = [];
      for await (const chunk of attachment) chunks.push(chunk as Buffer);
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    }
  });

  it("comes whole chunk by whole chunk where chunks are used again, each as it is until the next is asked for", async () => {
    for (const length of [0, 1, 70_000, 9 * MIB + 3]) {
      const bytes = bytesOf(length);
      await using peer = await ScriptedPeer.start(({ reply }) => reply({ length }, bytes));
      await using client = clientOf(peer);
      const { attachment } = await client.stream("bytes", {}, { reuseChunks: true });
      const memory = new Set<ArrayBufferLike>();
      let received = 0;
      for await (const chunk of attachment as AsyncIterable<Buffer>) {
        memory.add(chunk.buffer);
        // As much as may be read ahead has been, now and then.
        if (received % MIB === 0 && length - received > 2 * MIB) {
          await expect.poll(() => attachment.readableLength).toBe(4);
        }
        expect(chunk.equals(bytes.subarray(received, received + chunk.length))).toBe(true);
        received += chunk.length;
      }
      expect(received).toBe(length);
      expect(memory.size).toBeLessThanOrEqual(6);
    }
  });

  it("is written on as it is, by a slow writer too, where chunks are used again", async () => {
    const bytes = bytesOf(9 * MIB + 3);
    await using peer = await ScriptedPeer.start(({ reply }) => reply(1, bytes));
    await using client = clientOf(peer);
    const { attachment } = await client.stream("bytes", {}, { reuseChunks: true });
    let received = 0;
    const writable = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        setImmediate(() => {
          const isSame = chunk.equals(bytes.subarray(received, received + chunk.length));
          received += chunk.length;
          done(isSame ? null : new Error(`other bytes before ${received}`));
        });
      },
    });
    await pipeline(attachment, writable);
    expect(received).toBe(bytes.length);
  });

  it("is empty where there is none, and an error where the core refuses", async () => {
    await using peer = await ScriptedPeer.start(({ command, reply, fail }) =>
      command === "no" ? fail("no") : reply(1),
    );
    await using client = clientOf(peer);
    const { result, attachmentBytes, attachment } = await client.stream("plain");
    expect([result, attachmentBytes, await attachment.toArray()]).toEqual([1, 0, []]);
    await expect(client.stream("no")).rejects.toMatchObject({ name: "CommandError", message: "no" });
    await expect
      .poll(() => peer.connections.every(({ socket }) => socket.destroyed || socket.readableEnded))
      .toBe(true);
  });

  it("that is read slowly is held by the core, and holds nobody else up", async () => {
    const bytes = Buffer.alloc(64 * MIB, 7);
    await using peer = await ScriptedPeer.start(({ command, reply }) =>
      reply(1, command === "bytes" ? bytes : undefined),
    );
    await using client = clientOf(peer);
    const { attachment } = await client.stream("bytes");
    attachment.read(0);
    await expect.poll(() => attachment.readableLength).toBeGreaterThan(0);
    for (let i = 0; i < 50; i += 1) expect((await client.request("other")).result).toBe(1);
    expect(attachment.readableLength).toBeLessThan(2 * MIB);
    let length = 0;
    for await (const chunk of attachment) length += (chunk as Buffer).length;
    expect(length).toBe(bytes.length);
  });

  it("breaks with its connection, typed, and ends with the client and with its reader", async () => {
    await using peer = await ScriptedPeer.start(({ connection, requestId }) => {
      const frame = PeerConnection.frame({ success: true, result: 1, requestId }, Buffer.alloc(MIB));
      connection.write(frame.subarray(0, 1000));
    });
    const client = clientOf(peer);
    const first = await client.stream("a");
    peer.connections[0]?.socket.destroy();
    await expect(first.attachment.toArray()).rejects.toMatchObject({
      name: "ConnectionError",
      code: "closed",
      mayHaveExecuted: true,
    });
    const second = await client.stream("b");
    const ended = once(peer.connections[1]?.socket ?? expect.fail(), "close");
    second.attachment.destroy();
    await ended;
    const third = await client.stream("c");
    const reading = third.attachment.toArray();
    await Promise.all([client.close(), expect(reading).rejects.toMatchObject({ code: "closed" })]);
  });

  it("times out when nothing more comes, and heeds its signal", async () => {
    await using peer = await ScriptedPeer.start(({ connection, requestId }) => {
      const frame = PeerConnection.frame({ success: true, result: 1, requestId }, Buffer.alloc(MIB));
      connection.write(frame.subarray(0, 1000));
    });
    await using client = clientOf(peer);
    const { attachment } = await client.stream("a", {}, { timeoutMs: 50 });
    await expect(attachment.toArray()).rejects.toMatchObject({ code: "timeout", mayHaveExecuted: true });
    const abort = new AbortController();
    const aborted = await client.stream("a", {}, { signal: abort.signal });
    const reading = aborted.attachment.toArray();
    abort.abort();
    await expect(reading).rejects.toMatchObject({ code: "aborted", mayHaveExecuted: true });
  });
});
