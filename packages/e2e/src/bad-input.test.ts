import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CoreProcess, startCore } from "./support/core-process.js";
import { HealthyPeer } from "./support/healthy-peer.js";
import { connectRaw } from "./support/raw-peer.js";

/** Whatever one connection sends, it gets a typed error or is closed, and every other connection goes on. */
describe("bad input on the socket", () => {
  let core: CoreProcess;
  let healthy: HealthyPeer;

  beforeAll(async () => {
    core = await startCore({ args: ["--docker-host", "unix:///nonexistent/docker.sock"] });
    healthy = await HealthyPeer.connect(core.socketPath);
  }, 30_000);
  afterAll(async () => {
    await healthy[Symbol.asyncDispose]();
    await core[Symbol.asyncDispose]();
  });

  it.each([
    ["no JSON", "hello\n", "badRequest"],
    ["JSON, but no object", "[1,2]\n", "badRequest"],
    ["null", "null\n", "badRequest"],
    ["an empty line", "\n", "badRequest"],
    ["no command", '{"requestId":1}\n', "badRequest"],
    ["a command that is no string", '{"command":7,"requestId":1}\n', "badRequest"],
    ["an unknown command", '{"command":"system/docker-teir-stats","requestId":1}\n', "unknownCommand"],
    ["a prototype's key", '{"command":"__proto__","requestId":1}\n', "unknownCommand"],
    ["an object's method", '{"command":"constructor","requestId":1}\n', "unknownCommand"],
    [
      "wrong params",
      '{"command":"system/resource-admit","tier":"docker","projectedBytes":"many","requestId":1}\n',
      "invalidParams",
    ],
    [
      "a missing param",
      '{"command":"system/resource-admit","tier":"docker","requestId":1}\n',
      "invalidParams",
    ],
    ["a request id that is no integer", '{"command":"health-check","requestId":1.5}\n', "badRequest"],
    ["a negative request id", '{"command":"health-check","requestId":-1}\n', "badRequest"],
    ["invalid UTF-8", Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]), "badRequest"],
  ])("%s gets a typed error, and the connection goes on", async (_what, bytes, kind) => {
    await using peer = await connectRaw(core.socketPath);
    peer.send(bytes);
    const reply = await peer.next();
    expect(reply.success).toBe(false);
    expect(reply.error).toBeTruthy();
    expect(reply.errorDetail?.kind).toBe(kind);
    peer.send('{"command":"health-check","requestId":2}\n');
    expect(await peer.next()).toMatchObject({ success: true, requestId: 2 });
    await healthy.expectAnswer();
  });

  it("lets a parameter pass that only a newer client knows", async () => {
    await using peer = await connectRaw(core.socketPath);
    peer.send('{"command":"system/docker-tier-stats","colour":1,"requestId":1}\n');
    expect(await peer.next()).toMatchObject({ success: true, requestId: 1 });
  });

  it("names the nearest command", async () => {
    await using peer = await connectRaw(core.socketPath);
    peer.send('{"command":"system/docker-teir-stats","requestId":1}\n');
    const { errorDetail, error } = await peer.next();
    expect(errorDetail).toMatchObject({ nearest: "system/docker-tier-stats" });
    expect(errorDetail?.["commands"]).toContain("system/pressure-broker-state");
    expect(error).toContain("system/docker-tier-stats");
  });

  it("a 10 MB line is refused and its connection closed", async () => {
    await using peer = await connectRaw(core.socketPath);
    peer.send(Buffer.alloc(10_000_000, "a"));
    const reply = await peer.next();
    expect(reply).toMatchObject({ success: false, errorDetail: { kind: "badRequest" } });
    await peer.closed();
    await healthy.expectAnswer();
  });

  it("a connection that is cut in the middle of a line harms nobody", async () => {
    const peer = await connectRaw(core.socketPath);
    peer.send('{"command":"health-');
    await peer[Symbol.asyncDispose]();
    await healthy.expectAnswer();
  });

  it("a request without an id is answered without one", async () => {
    await using peer = await connectRaw(core.socketPath);
    peer.send('{"command":"health-check"}\n');
    const reply = await peer.next();
    expect(reply.success).toBe(true);
    expect(reply).not.toHaveProperty("requestId");
  });

  it("a line that isn't finished in time closes its connection alone", { timeout: 60_000 }, async () => {
    await using peer = await connectRaw(core.socketPath);
    peer.send('{"command":"health-check"');
    await peer.closed(45_000);
    await healthy.expectAnswer();
  });
});
