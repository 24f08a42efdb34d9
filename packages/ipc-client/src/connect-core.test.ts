import { describe, expect, it } from "vitest";
import { connectCore } from "./connect-core.js";
import { EndpointError } from "./endpoint-error.js";
import { ScriptedPeer } from "./testing/scripted-peer.js";

describe("connectCore", () => {
  it("gives one client per endpoint and options, however the endpoint is spelled", async () => {
    await using client = connectCore({ url: "/tmp/a.sock" });
    expect(connectCore({ url: "unix:///tmp/a.sock" })).toBe(client);
    expect(connectCore({ env: { CONTINUUM_CORE_URL: "/tmp/a.sock" }, requestTimeoutMs: undefined })).toBe(
      client,
    );
    await using other = connectCore({ url: "/tmp/b.sock" });
    await using patient = connectCore({ url: "/tmp/a.sock", requestTimeoutMs: 60_000 });
    expect(new Set([client, other, patient]).size).toBe(3);
  });

  it("gives another one after it was closed", async () => {
    const client = connectCore({ url: "/tmp/a.sock" });
    await client.close();
    await using next = connectCore({ url: "/tmp/a.sock" });
    expect(next).not.toBe(client);
    await client.close();
    expect(connectCore({ url: "/tmp/a.sock" })).toBe(next);
  });

  it("connects at the first request only", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply({ n: 1 }));
    await using client = connectCore({ url: peer.path });
    expect(peer.connections).toHaveLength(0);
    await Promise.all([client.request("a"), connectCore({ url: peer.path }).request("b")]);
    expect(peer.connections).toHaveLength(1);
  });

  it("refuses a URL that names no endpoint", () => {
    expect(() => connectCore({ url: "http://core" })).toThrow(EndpointError);
  });
});
