import { Command, CommanderError, Option } from "commander";
import { CoreError } from "../core-error.js";
import type { RawFlags } from "./resolve-config.js";
import type { Setting } from "./setting.js";
import { type SettingName, SETTINGS } from "./settings.js";

const EXAMPLES = `
Examples:
  continuum-core                                  watch this machine's Docker disk, delete nothing
  continuum-core --evict conservative             also free space, deleting only what can be had again
  continuum-core --evict standard --min-age 7d    free more, but nothing younger than a week
  CONTINUUM_TICK_MS=1000 continuum-core           every flag is also a variable

Exit codes: 0 stopped, 1 failed, 2 a flag or variable can't be used, 3 another core is running on the socket.`;

/** What the command line asks for: to run with these flags, or only to print this text. */
export type CommandLine =
  { readonly kind: "run"; readonly flags: RawFlags } | { readonly kind: "print"; readonly text: string };

/** Parses the arguments after the program's name; throws a CoreError `usage` for what isn't known. */
export function parseCommandLine(args: readonly string[], version: string): CommandLine {
  let text = "";
  const command = new Command("continuum-core")
    .description("Watches the disk that Docker fills, relieves it before it is full, and says so.")
    .version(version)
    .allowExcessArguments(false)
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", EXAMPLES)
    .exitOverride()
    .configureOutput({ writeOut: (part) => (text += part), writeErr: () => undefined });
  const add = (name: keyof RawFlags, flags: string, description: string, preset?: string): void => {
    const option = new Option(flags, description);
    if (preset !== undefined) option.preset(preset);
    // The settings are named after what they hold (minAgeMs), the flags after what is typed (--min-age).
    option.attributeName = () => name;
    command.addOption(option);
  };
  add(
    "socket",
    "--socket <PATH>",
    "where to listen, also tcp://HOST:PORT, where a token is owed (CONTINUUM_SOCKET, CONTINUUM_CORE_URL; " +
      "default: core.sock in the core's directory)",
  );
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const { flag, placeholder, variable, description, defaultText, preset }: Setting<unknown> =
      SETTINGS[name];
    const value = preset === undefined ? `<${placeholder}>` : `[${placeholder}]`;
    add(name, `${flag} ${value}`, `${description} (${variable}; default: ${defaultText})`, preset);
  }
  try {
    // Commander isn't told of the variables: they are resolved later, where an error names the one that is wrong.
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "print", text };
    const message = error.message.replace(/^error: /u, "").replace(/\s*\n\s*/gu, " ");
    throw new CoreError("usage", `${message} (see continuum-core --help)`, { cause: error });
  }
  return { kind: "run", flags: command.opts<RawFlags>() };
}
