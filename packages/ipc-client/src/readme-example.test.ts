import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { connectCore } from "./connect-core.js";
import { firstAlert, readDockerPressure } from "./readme-example.js";
import { ScriptedPeer } from "./testing/scripted-peer.js";

describe("the README's example", () => {
  it("is the one that is run here", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const source = await readFile(new URL("readme-example.ts", import.meta.url), "utf8");
    expect(readme).toContain(`\`\`\`ts\n${source.replace("./index.js", "@continuum/ipc-client")}\`\`\``);
  });

  it("reads the pressure, and hears of an alert", async () => {
    await using peer = await ScriptedPeer.start((request) => {
      if (request.command !== "events/subscribe") {
        request.reply({ capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true });
        return;
      }
      request.reply({ events: ["pressure-alert"] });
      const alert = {
        tierName: "docker",
        pressure: 0.9,
        tier: "high",
        bytesFreed: 0,
        actionTaken: false,
        atMs: 1,
      };
      request.connection.push("pressure-alert", alert);
    });
    expect(await readDockerPressure(peer.path)).toBe(0.5);
    expect(await firstAlert(peer.path)).toBe("docker 0.9");
    await connectCore({ url: peer.path }).close();
  });

  it("knows nothing without a core", async () => {
    await using peer = await ScriptedPeer.absent();
    expect(await readDockerPressure(peer.path)).toBeNull();
    await connectCore({ url: peer.path }).close();
  });
});
