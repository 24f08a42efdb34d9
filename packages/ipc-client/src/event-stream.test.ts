import { DecodeError } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import type { EventGap } from "./event-stream.js";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { type PeerRequest, ScriptedPeer } from "./testing/scripted-peer.js";

const alert = {
  tierName: "docker",
  pressure: 0.97,
  tier: "critical",
  bytesFreed: 5,
  actionTaken: true,
  atMs: 1,
};

/** Answers the subscription that comes next, and sends an event behind it. */
async function takeSubscription(peer: ScriptedPeer, atMs: number): Promise<PeerRequest> {
  const request = await peer.next();
  expect(request.command).toBe("events/subscribe");
  request.reply({ events: ["pressure-alert"] });
  request.connection.push("pressure-alert", { ...alert, atMs });
  return request;
}

describe("events", () => {
  it("subscribes once for all streams, hands each its own object, unsubscribes after the last", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path });
    const first = client.events("pressure-alert");
    const second = client.events("pressure-alert");
    const subscribe = await peer.next();
    expect(subscribe).toMatchObject({ command: "events/subscribe", params: { events: ["pressure-alert"] } });
    subscribe.reply({ events: ["pressure-alert"] });
    subscribe.connection.push("pressure-alert", alert);
    subscribe.connection.push("of-no-interest", alert);
    const [a, b] = [await first.next(), await second.next()];
    expect([a.value, b.value]).toEqual([alert, alert]);
    expect(a.value).not.toBe(b.value);
    await first.return();
    await second.return();
    expect(await peer.next()).toMatchObject({ command: "events/unsubscribe" });
    expect(await second.next()).toEqual({ done: true, value: undefined });
  });

  it("fails at once on a client that is closed", async () => {
    const client = new RustCoreIPCClient({ url: "/nonexistent/core.sock" });
    await client.close();
    await expect(client.events("pressure-alert").next()).rejects.toMatchObject({ code: "closed" });
  });

  it("survives a restart, subscribes again, and says that something may be missing", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path });
    const gaps: EventGap[] = [];
    await using stream = client.events("pressure-alert", { onGap: (gap) => gaps.push(gap) });
    await takeSubscription(peer, 1);
    expect((await stream.next()).value).toEqual(alert);
    expect(gaps).toEqual([]);
    await peer.kill();
    await peer.listen();
    await takeSubscription(peer, 2);
    expect((await stream.next()).value).toEqual({ ...alert, atMs: 2 });
    expect(gaps).toEqual([{ reason: "reconnected" }]);
  });

  it("says that the core has dropped it for being slow, and subscribes again", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path });
    const gaps: EventGap[] = [];
    await using stream = client.events("pressure-alert", { onGap: (gap) => gaps.push(gap) });
    const before = await takeSubscription(peer, 1);
    const reason = "events are lost: 5 bytes of them were left unread";
    before.connection.send({
      success: false,
      error: `overloaded: ${reason}`,
      errorDetail: { kind: "overloaded", reason },
    });
    before.connection.socket.end();
    await takeSubscription(peer, 2);
    // What came before the connection ended is still handed out.
    expect([(await stream.next()).value?.atMs, (await stream.next()).value?.atMs]).toEqual([1, 2]);
    expect(gaps).toEqual([{ reason: "dropped", message: `overloaded: ${reason}` }]);
  });

  it("drops the oldest for a slow consumer, and says how many", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path });
    const gaps: EventGap[] = [];
    const stream = client.events("pressure-alert", { capacity: 2, onGap: (gap) => gaps.push(gap) });
    const subscribe = await peer.next();
    for (let atMs = 1; atMs <= 5; atMs += 1) subscribe.connection.push("pressure-alert", { ...alert, atMs });
    subscribe.reply({ events: ["pressure-alert"] });
    const probe = client.request("echo");
    (await peer.next()).reply(null);
    await probe;
    expect([(await stream.next()).value?.atMs, (await stream.next()).value?.atMs]).toEqual([4, 5]);
    expect(gaps).toEqual(Array.from({ length: 3 }, () => ({ reason: "overflow", dropped: 1 })));
  });

  it("ends with its signal, with a break, and with the client", async () => {
    await using peer = await ScriptedPeer.start();
    const client = new RustCoreIPCClient({ url: peer.path });
    const controller = new AbortController();
    const next = client.events("pressure-alert", { signal: controller.signal }).next();
    controller.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    expect((await client.events("pressure-alert", { signal: controller.signal }).next()).done).toBe(true);
    const broken = client.events("pressure-alert");
    (await peer.next()).connection.push("pressure-alert", alert);
    for await (const event of broken) {
      expect(event).toEqual(alert);
      break;
    }
    const last = client.events("pressure-alert").next();
    await client.close();
    expect((await last).done).toBe(true);
  });

  it("fails without a core, on a core that doesn't know it, and on data of another contract", async () => {
    await using peer = await ScriptedPeer.absent();
    await using client = new RustCoreIPCClient({ url: peer.path });
    await expect(client.events("pressure-alert").next()).rejects.toMatchObject({ code: "notFound" });
    await peer.listen();
    const unknown = client.events("pressure-alert").next();
    (await peer.next()).fail("unknown command events/subscribe");
    await expect(unknown).rejects.toMatchObject({ name: "CommandError" });
    const stream = client.events("pressure-alert");
    (await peer.next()).connection.push("pressure-alert", { ...alert, atMs: "now" });
    await expect(stream.next()).rejects.toBeInstanceOf(DecodeError);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});
