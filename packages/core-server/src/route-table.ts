import type { CommandName } from "@continuum/wire-types";
import { CoreError } from "./core-error.js";
import type { CommandHandler } from "./runtime/command-handlers.js";
import type { ServiceModule } from "./runtime/service-module.js";

/** Where a command goes. */
export interface Route {
  readonly command: CommandName;
  readonly module: string;
  readonly handle: CommandHandler<CommandName>;
}

/**
 * Finds the module of every command by its longest prefix, once, at the start.
 *
 * Throws a CoreError `routes` that lists every command without a module or handler, and every handler that no
 * command can reach: a core that starts answers exactly the commands of the contract.
 */
export function buildRouteTable(
  modules: readonly ServiceModule[],
  commands: readonly CommandName[],
): ReadonlyMap<string, Route> {
  const routes = new Map<string, Route>();
  const problems: string[] = [];
  for (const command of commands) {
    const module = moduleFor(command, modules);
    if (module === null) {
      problems.push(`no module has a prefix of "${command}"`);
      continue;
    }
    // Own keys only: "constructor" is no command, whatever an object inherits.
    const handle = Object.hasOwn(module.handlers, command) ? module.handlers[command] : undefined;
    if (handle === undefined) problems.push(`module ${module.name} has no handler for "${command}"`);
    else
      routes.set(command, {
        command,
        module: module.name,
        handle: handle as CommandHandler<CommandName>,
      });
  }
  for (const module of modules) {
    for (const name of Object.keys(module.handlers)) {
      if (routes.get(name)?.module !== module.name) {
        problems.push(`the handler for "${name}" in module ${module.name} is never reached`);
      }
    }
  }
  if (problems.length > 0) throw new CoreError("routes", problems.join("; "));
  return routes;
}

/** The module with the longest prefix of `command`, or null; a module without prefixes gets nothing. */
export function moduleFor(command: string, modules: readonly ServiceModule[]): ServiceModule | null {
  let found: ServiceModule | null = null;
  let longest = -1;
  for (const module of modules) {
    for (const prefix of module.commandPrefixes) {
      if (prefix.length > longest && command.startsWith(prefix)) {
        found = module;
        longest = prefix.length;
      }
    }
  }
  return found;
}
