import { connectCore } from "@continuum/ipc-client";
import { ScriptedPeer } from "@continuum/ipc-client/testing";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { createServerCommands } from "./gen/index.js";
import { handle, HostCommand, toHostCommand } from "./readme-example.js";

const stats = { capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true };

describe("the README's example", () => {
  it("is the one that is run here", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const source = await readFile(new URL("readme-example.ts", import.meta.url), "utf8");
    expect(readme).toContain(
      `\`\`\`ts\n${source.replace("./gen/index.js", "@continuum/server-commands")}\`\`\``,
    );
  });

  it("calls a command by its name", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    expect(await handle(peer.path)).toBe("true 0.5");
    await connectCore({ url: peer.path }).close();
  });

  it("wraps every command in the host's own base class", async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    await using client = connectCore({ url: peer.path });
    const command = createServerCommands(client)["system/docker-tier-stats"];
    const registered = new Map<string, unknown>();
    const dispatcher = { register: (name: string, each: unknown) => void registered.set(name, each) };
    const StatsCommand = toHostCommand(command);
    const hosted = new StatsCommand({ user: "me" }, "/commands/stats", dispatcher);
    expect(hosted).toBeInstanceOf(HostCommand);
    dispatcher.register(command.name, hosted);
    expect(registered.get("system/docker-tier-stats")).toBe(hosted);
    expect([hosted.context.user, hosted.path]).toEqual(["me", "/commands/stats"]);
    expect(await hosted.run({})).toEqual({ success: true, stats });
  });
});
