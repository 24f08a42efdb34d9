import { connectCore } from "@continuum/ipc-client";
import { createServerCommands, type ServerCommand } from "./gen/index.js";

/** A host without command classes of its own calls the commands by name. */
export async function handle(url?: string): Promise<string> {
  const commands = createServerCommands(connectCore({ url }));
  const { success, stats } = await commands["system/docker-tier-stats"].execute();
  return `${success} ${stats.pressure}`;
}

/** A host's own base class, as it may be: constructed with a context, a path and a dispatcher. */
export abstract class HostCommand<Params, Result> {
  constructor(
    readonly context: { readonly user: string },
    readonly path: string,
    readonly dispatcher: { register(name: string, command: object): void },
  ) {}
  abstract run(params: Params): Promise<Result>;
}

/** Wraps any server command in the host's base class: three lines. */
export function toHostCommand<Params, Result>(command: ServerCommand<Params, Result>) {
  return class extends HostCommand<Params, Result> {
    run = (params: Params): Promise<Result> => command.execute(params);
  };
}
