import { CommandError, RustCoreIPCClient } from "@continuum/ipc-client";
import { ScriptedPeer } from "@continuum/ipc-client/testing";
import { describe, expect, it } from "vitest";
import type { ServerCommand } from "../server-command.js";

/** A server command with sample values of everything that travels. */
export interface ServerCommandSample<Params, Result> {
  readonly name: string;
  readonly create: (client: RustCoreIPCClient) => ServerCommand<Params, Result>;
  readonly params: Params;
  /** What the core replies. */
  readonly reply: unknown;
  /** What the command must give then. */
  readonly result: Result;
}

/** The suite of every generated server command, against a peer on a real socket. */
export function describeServerCommand<Params, Result>(sample: ServerCommandSample<Params, Result>): void {
  const { name, create, params, reply, result } = sample;
  describe(`the server command ${name}`, () => {
    it("sends its parameters as they are and gives the results", async () => {
      const sent: unknown[] = [];
      await using peer = await ScriptedPeer.start((request) => {
        sent.push({ command: request.command, ...request.params });
        request.reply(reply);
      });
      await using client = new RustCoreIPCClient({ url: peer.path });
      const command = create(client);
      expect(command.name).toBe(name);
      expect(await command.execute(params)).toEqual(result);
      expect(sent).toEqual([{ command: name, ...params }]);
    });

    it("throws what the core refuses, typed, instead of a half-filled result", async () => {
      const detail = { kind: "overloaded", reason: "a test" };
      await using peer = await ScriptedPeer.start((request) => {
        request.fail("refused", detail);
      });
      await using client = new RustCoreIPCClient({ url: peer.path });
      const refused = await create(client)
        .execute(params)
        .catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(CommandError);
      expect(refused).toMatchObject({ command: name, message: "refused", errorDetail: detail });
    });

    it("throws for a reply that isn't what the contract says", async () => {
      await using peer = await ScriptedPeer.start((request) => {
        request.reply("not a reply of this command");
      });
      await using client = new RustCoreIPCClient({ url: peer.path });
      await expect(create(client).execute(params)).rejects.toMatchObject({ name: "DecodeError" });
    });
  });
}
