import type { FieldShape } from "../contract/shape.js";
import {
  type CommandModel,
  type ContractModel,
  referencesOfFields,
  toKebabCase,
  toPascalCase,
} from "./contract-model.js";
import { emitDoc, emitShape } from "./emit-ts-rs.js";
import { emitGuard } from "./emit-guard.js";
import { guardName, incomingName } from "./emit-wire-types.js";
import { emitObject, emitZod } from "./emit-zod.js";
import { type GeneratedFile, generatedHeader } from "./generated-file.js";

const gen = "packages/wire-types/src/gen/commands";

/** The files of `@continuum/wire-types` that stand for the commands: their types, the map and the table. */
export function emitCommands({ types, commands }: ContractModel): readonly GeneratedFile[] {
  const folders = new Map(types.map(({ name, folder }) => [name, folder]));
  const folderOf = (name: string): string => folders.get(name) ?? "";
  return [
    ...commands.map((command) => ({
      path: `${gen}/${toKebabCase(command.name)}.ts`,
      text: emitCommand(command, folderOf),
    })),
    { path: `${gen}/index.ts`, text: emitIndex(commands) },
    { path: `${gen}/command-table.ts`, text: emitTable(commands) },
  ];
}

function emitCommand(command: CommandModel, folderOf: (name: string) => string): string {
  const { name, params, results, wholeReply, source } = command;
  const pascal = toPascalCase(name);
  const reply = results.filter((field) => field.name !== "success");
  const serverResults = referencesOfFields(results);
  const imports = [...new Set([...referencesOfFields(params), ...serverResults])].sort();
  const replyType = wholeReply === null ? emitFields(reply) : emitShape(wholeReply.shape);
  return `${generatedHeader(source)}import { z } from "zod";
import type { CommandDescriptor } from "../../command-descriptor";
import { contractSchema } from "../../contract-schema";
${wholeReply === null ? 'import { decodeGuarded } from "../../decode-guarded";\n' : ""}import { decodeWith } from "../../decode-with";
${wholeReply === null ? 'import { isObject, type Loose } from "../../guard";\n' : ""}${imports.map((type) => `import type { ${type} } from "../${folderOf(type)}/${type}";\n`).join("")}${emitValidatorImports(command, reply)}
${emitDoc(`Parameters of \`${name}\`.`)}
export type ${pascal}Params = ${emitFields(params)};

${emitDoc(`What the core replies to \`${name}\`.`)}
export type ${pascal}Reply = ${replyType};

${emitDoc(`What the server command of \`${name}\` gives.`)}
export type ${pascal}Result = ${emitFields(results)};

const params = contractSchema<${pascal}Params>()(${emitObject(params, "stripped", (shape) => emitZod(shape, "open", incomingName))});

${wholeReply === null ? emitReplyCheck(pascal, reply) : ""}${emitDoc(command.description)}
export const ${descriptorName(command)}: CommandDescriptor<${pascal}Params, ${pascal}Reply> = {
  name: ${JSON.stringify(name)},
  description: ${JSON.stringify(command.description)},
  accessLevel: ${JSON.stringify(command.accessLevel)},
  idempotent: ${command.idempotent},
  examples: ${JSON.stringify(command.examples)},
  decodeParams: (value) => decodeWith(params, value),
  decodeResult: ${wholeReply === null ? "(value) => decodeGuarded(isReply, reply, value)" : `decode${emitShape(wholeReply.shape)}`},
};
`;
}

/** Imports what checks the parameters and the reply: a whole reply has its type's own decoder. */
function emitValidatorImports({ params, wholeReply }: CommandModel, reply: readonly FieldShape[]): string {
  const names = new Map<string, Set<string>>();
  const use = (type: string, name: string): void => {
    names.set(type, (names.get(type) ?? new Set()).add(name));
  };
  for (const type of referencesOfFields(params)) use(type, incomingName(type));
  for (const type of referencesOfFields(reply)) {
    if (wholeReply === null) use(type, incomingName(type));
    use(type, wholeReply === null ? guardName(type) : `decode${type}`);
  }
  return [...names]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, list]) => `import { ${[...list].sort().join(", ")} } from "../validators/${type}";\n`)
    .join("");
}

/** A reply that is an object of the results: its schema, and its fast guard. */
function emitReplyCheck(pascal: string, reply: readonly FieldShape[]): string {
  const schema = emitObject(reply, "open", (shape) => emitZod(shape, "open", incomingName));
  const guard = emitGuard({ kind: "object", fields: reply }, "value", guardName);
  return `const reply = contractSchema<${pascal}Reply>()(${schema});

function isReply(value: Loose): value is ${pascal}Reply {
  return ${guard};
}

`;
}

/** `healthCheckCommand`. */
function descriptorName(command: CommandModel): string {
  const pascal = toPascalCase(command.name);
  return `${pascal.charAt(0).toLowerCase()}${pascal.slice(1)}Command`;
}

/** An object type of a command. An optional one may be given as `undefined`: callers pass through what they have. */
function emitFields(fields: readonly FieldShape[]): string {
  if (fields.length === 0) return "Record<string, never>";
  const parts = fields.map(({ name, optional, shape, doc }) => {
    const comment = doc === "" ? "" : `\n${emitDoc(doc)}\n`;
    return `${comment}${name}${optional ? "?" : ""}: ${emitShape(shape)}${optional ? " | undefined" : ""}, `;
  });
  return `{ ${parts.join("")}}`;
}

function emitIndex(commands: readonly CommandModel[]): string {
  const lines = commands.map((command) => {
    const pascal = toPascalCase(command.name);
    return `export type { ${pascal}Params, ${pascal}Reply, ${pascal}Result } from "./${toKebabCase(command.name)}";\n`;
  });
  return generatedHeader("schemas/commands/") + lines.join("");
}

function emitTable(commands: readonly CommandModel[]): string {
  const imports = commands.map((command) => {
    const pascal = toPascalCase(command.name);
    return `import { ${descriptorName(command)}, type ${pascal}Params, type ${pascal}Reply } from "./${toKebabCase(command.name)}";\n`;
  });
  const entries = commands.map((command) => {
    const pascal = toPascalCase(command.name);
    return `  ${JSON.stringify(command.name)}: { params: ${pascal}Params; result: ${pascal}Reply };\n`;
  });
  const table = commands.map((command) => `  ${JSON.stringify(command.name)}: ${descriptorName(command)},\n`);
  return `${generatedHeader("schemas/commands/")}import type { CommandDescriptor } from "../../command-descriptor";
${imports.join("")}
/** Every command of the contract: what it takes and what the core replies. */
export type CommandMap = {
${entries.join("")}};

/** Every command of the contract at run time; a name that isn't its own key doesn't exist. */
export const COMMANDS: { readonly [C in keyof CommandMap]: CommandDescriptor<CommandMap[C]["params"], CommandMap[C]["result"]> } = Object.freeze({
  __proto__: null,
${table.join("")}});
`;
}
