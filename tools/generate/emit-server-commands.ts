import { type CommandModel, type ContractModel, toKebabCase, toPascalCase } from "./contract-model.js";
import { type GeneratedFile, generatedHeader } from "./generated-file.js";

const gen = "packages/server-commands/src/gen";

/** The files of `@continuum/server-commands`: one thin class per command, and the function that makes them all. */
export function emitServerCommands({ commands }: ContractModel): readonly GeneratedFile[] {
  const served = commands.filter(({ serverCommand }) => serverCommand);
  return [
    ...served.map((command) => ({
      path: `${gen}/${toKebabCase(command.name)}-server-command.ts`,
      text: emitClass(command),
    })),
    { path: `${gen}/create-server-commands.ts`, text: emitCreate(served) },
    { path: `${gen}/index.ts`, text: emitIndex(served) },
  ];
}

function className(command: CommandModel): string {
  return `${toPascalCase(command.name)}ServerCommand`;
}

function emitClass(command: CommandModel): string {
  const pascal = toPascalCase(command.name);
  const hasParams = command.params.length > 0;
  const allOptional = command.params.every(({ optional }) => optional);
  const call = `await this.client.${command.method}(${hasParams ? "params, " : ""}options)`;
  const success = command.results.some(({ name }) => name === "success") ? "success: true, " : "";
  const result =
    command.wholeReply === null
      ? `{ ${success}...(${call}) }`
      : `{ ${success}${command.wholeReply.name}: ${call} }`;
  const params = `${hasParams ? "params" : "_params"}: ${pascal}Params${allOptional ? " = {}" : ""}`;
  return `${generatedHeader(command.source)}import { type CallOptions, connectCore, type RustCoreIPCClient } from "@continuum/ipc-client";
import type { ${pascal}Params, ${pascal}Result } from "@continuum/wire-types/commands";
import type { ServerCommand } from "../server-command";

/** ${command.description} */
export class ${className(command)} implements ServerCommand<${pascal}Params, ${pascal}Result> {
  static readonly commandName = ${JSON.stringify(command.name)};
  readonly name = ${className(command)}.commandName;

  /** Without a client it uses the shared one of the default endpoint, which connects at the first request. */
  constructor(private readonly client: Pick<RustCoreIPCClient, ${JSON.stringify(command.method)}> = connectCore()) {}

  async execute(${params}, options?: CallOptions): Promise<${pascal}Result> {
    return ${result};
  }
}
`;
}

function emitCreate(commands: readonly CommandModel[]): string {
  const imports = commands.map(
    (command) => `import { ${className(command)} } from "./${toKebabCase(command.name)}-server-command";\n`,
  );
  const types = commands.map(
    (command) => `  readonly ${JSON.stringify(command.name)}: ${className(command)};\n`,
  );
  const entries = commands.map(
    (command) => `    ${JSON.stringify(command.name)}: new ${className(command)}(client),\n`,
  );
  return `${generatedHeader("schemas/commands/")}import { connectCore, type RustCoreIPCClient } from "@continuum/ipc-client";
${imports.join("")}
/** Every server command, by the command's name. */
export interface ServerCommands {
${types.join("")}}

/** Makes every server command over one client; without one, the shared client of the default endpoint. */
export function createServerCommands(client: RustCoreIPCClient = connectCore()): ServerCommands {
  return Object.freeze({
${entries.join("")}  });
}
`;
}

function emitIndex(commands: readonly CommandModel[]): string {
  const lines = commands.map(
    (command) => `export { ${className(command)} } from "./${toKebabCase(command.name)}-server-command";\n`,
  );
  return `${generatedHeader("schemas/commands/")}${lines.join("")}export { createServerCommands, type ServerCommands } from "./create-server-commands";\nexport type { ServerCommand } from "../server-command";\n`;
}
