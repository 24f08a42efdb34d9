import { describe, expect, it } from "vitest";
import { ConnectionError } from "./connection-error.js";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { ScriptedPeer } from "./testing/scripted-peer.js";

const stats = { capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true };

describe("when the connection breaks", () => {
  it("an idle client finds the restarted core", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    await using client = new RustCoreIPCClient({ url: peer.path });
    await client.dockerTierStats();
    await peer.kill();
    await peer.listen();
    expect(await client.dockerTierStats()).toEqual(stats);
  });

  it("an idempotent request is sent again once the core is back", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path });
    const pending = client.dockerTierStats();
    const first = await peer.next();
    await peer.kill();
    await peer.listen();
    const second = await peer.next();
    expect(second.command).toBe(first.command);
    second.reply(stats);
    expect(await pending).toEqual(stats);
  });

  it("one that isn't fails and says that it may have been executed; half a frame is no answer", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path });
    const pending = client.resourceAdmit({ tier: "docker", projectedBytes: 1 });
    const { connection } = await peer.next();
    connection.socket.end(Buffer.from("000000ff7b22", "hex"));
    const error: unknown = await pending.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error).toMatchObject({ code: "closed", mayHaveExecuted: true });
    expect((error as Error).message).toContain("within a frame");
  });

  it("one of a command that this version doesn't know isn't repeated either", async () => {
    await using peer = await ScriptedPeer.start((request) => request.connection.socket.destroy());
    await using client = new RustCoreIPCClient({ url: peer.path });
    await expect(client.request("something/new")).rejects.toMatchObject({
      code: "closed",
      mayHaveExecuted: true,
    });
  });

  it("one that ends the core each time is given up", async () => {
    let count = 0;
    await using peer = await ScriptedPeer.start((request) => {
      count += 1;
      request.connection.socket.destroy();
    });
    await using client = new RustCoreIPCClient({ url: peer.path });
    await expect(client.dockerTierStats()).rejects.toMatchObject({ code: "closed", mayHaveExecuted: true });
    expect(count).toBe(8);
  });

  it("what a stopping core turns away is sent to the next one if it may be repeated, and else fails as the core said", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path });
    const repeated = client.dockerTierStats();
    const once = client.resourceAdmit({ tier: "docker", projectedBytes: 1 }).catch((error: unknown) => error);
    for (let count = 0; count < 2; count += 1) {
      const { command, fail } = await peer.next();
      fail("the core is shutting down", { kind: "shuttingDown", command, mayHaveExecuted: false });
    }
    expect(await once).toMatchObject({
      name: "CommandError",
      errorDetail: { kind: "shuttingDown", mayHaveExecuted: false },
    });
    await peer.kill();
    await peer.listen();
    (await peer.next()).reply(stats);
    expect(await repeated).toEqual(stats);
  });

  it("what wasn't written is sent afterwards, whatever it is, exactly once", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path, maxInFlight: 1 });
    const first = client.dockerTierStats();
    await peer.next();
    const second = client
      .resourceAdmit({ tier: "docker", projectedBytes: 1 })
      .catch((error: unknown) => error);
    await peer.kill();
    await peer.listen();
    (await peer.next()).reply(stats);
    expect(await first).toEqual(stats);
    const admit = await peer.next();
    expect(admit.command).toBe("system/resource-admit");
    admit.fail("no");
    expect(await second).toMatchObject({ name: "CommandError" });
  });

  it("waiting ends with the request's deadline, its signal, or reconnectForMs", async () => {
    await using peer = await ScriptedPeer.start();
    await using client = new RustCoreIPCClient({ url: peer.path, reconnectForMs: 80 });
    const broken = client.request("unknown").catch((error: unknown) => error);
    await peer.next();
    await peer.kill();
    expect(await broken).toMatchObject({ code: "closed" });
    const controller = new AbortController();
    const aborted = client.dockerTierStats({ signal: controller.signal }).catch((error: unknown) => error);
    const timedOut = client.dockerTierStats({ timeoutMs: 20 }).catch((error: unknown) => error);
    const refused = client.dockerTierStats().catch((error: unknown) => error);
    controller.abort();
    expect(await aborted).toMatchObject({ code: "aborted", mayHaveExecuted: false });
    expect(await timedOut).toMatchObject({ code: "timeout", mayHaveExecuted: false });
    expect(await refused).toMatchObject({ code: "notFound", mayHaveExecuted: false });
  });

  it("polling clients see delays only, over many restarts", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    await using client = new RustCoreIPCClient({ url: peer.path });
    await client.dockerTierStats();
    let isDone = false;
    let polls = 0;
    const poll = async (): Promise<void> => {
      while (!isDone) {
        expect(await client.dockerTierStats()).toEqual(stats);
        polls += 1;
      }
    };
    const pollers = Array.from({ length: 5 }, poll);
    for (let restart = 0; restart < 20; restart += 1) {
      await peer.kill();
      await peer.listen();
      const before = polls;
      while (polls < before + 10) await new Promise((resolve) => setImmediate(resolve));
    }
    isDone = true;
    await Promise.all(pollers);
    expect(polls).toBeGreaterThanOrEqual(200);
  });
});
