import { type CommandMap, COMMANDS } from "./gen/commands/command-table.js";

/** The name of a command of the contract. */
export type CommandName = keyof CommandMap;

/** What a command takes. */
export type CommandParams<C extends CommandName> = CommandMap[C]["params"];

/** What the core replies to a command. */
export type CommandResult<C extends CommandName> = CommandMap[C]["result"];

/** Whether the contract has a command of this name. */
export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}
