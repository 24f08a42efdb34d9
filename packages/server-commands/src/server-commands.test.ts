import { CommandError, connectCore, ConnectionError } from "@continuum/ipc-client";
import { ScriptedPeer } from "@continuum/ipc-client/testing";
import { COMMANDS } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import {
  createServerCommands,
  SystemDockerTierStatsServerCommand,
  SystemPressureBrokerStateServerCommand,
} from "./gen/index.js";

const stats = { capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true };
const state = { globalPressure: 0, globalTier: "normal", pools: [], evictionsFired: 0, bytesFreedTotal: 0 };

describe("the server commands", () => {
  it("cover every command that isn't bound to a connection", async () => {
    await using client = connectCore({ url: "/nowhere.sock" });
    const commands = createServerCommands(client);
    const isBound = (name: string): boolean =>
      ["events/", "session/", "system/pool-"].some((prefix) => name.startsWith(prefix));
    const names = Object.keys(COMMANDS).filter((name) => !isBound(name));
    expect(Object.keys(commands).sort()).toEqual(names.sort());
    for (const [name, command] of Object.entries(commands))
      expect((command as { name: string }).name).toBe(name);
  });

  it("give success and the result by its name", async () => {
    await using peer = await ScriptedPeer.start((request) =>
      request.reply(request.command === "system/pressure-broker-state" ? state : stats),
    );
    await using client = connectCore({ url: peer.path });
    expect(await new SystemDockerTierStatsServerCommand(client).execute()).toEqual({ success: true, stats });
    expect(await new SystemPressureBrokerStateServerCommand(client).execute()).toEqual({
      success: true,
      state,
    });
    expect(peer.connections).toHaveLength(1);
  });

  it("pass the parameters, and spread a reply of several results", async () => {
    const ticketDetail = { kind: "tierUnavailable", tier: "docker", reason: "no engine" };
    await using peer = await ScriptedPeer.start((request) => {
      if (request.command === "health-check") {
        request.reply({ healthy: true, version: "1", pid: 1, startedAtMs: 1, endpoint: "e", evict: "off" });
      } else request.fail(JSON.stringify(request.params), ticketDetail);
    });
    await using client = connectCore({ url: peer.path });
    const commands = createServerCommands(client);
    expect(await commands["health-check"].execute()).toMatchObject({
      success: true,
      healthy: true,
      evict: "off",
    });
    const refused = await commands["system/resource-admit"]
      .execute({ tier: "docker", projectedBytes: 5 })
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CommandError);
    expect(refused).toMatchObject({
      message: '{"tier":"docker","projectedBytes":5}',
      errorDetail: ticketDetail,
    });
  });

  it("throw a typed error without a core", async () => {
    await using peer = await ScriptedPeer.absent();
    await using client = connectCore({ url: peer.path });
    const command = createServerCommands(client)["system/docker-tier-stats"];
    await expect(command.execute()).rejects.toBeInstanceOf(ConnectionError);
    await expect(command.execute({}, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
  });
});
