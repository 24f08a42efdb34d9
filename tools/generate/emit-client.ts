import {
  type CommandModel,
  type ContractModel,
  domainOf,
  toKebabCase,
  toPascalCase,
} from "./contract-model.js";
import { type GeneratedFile, generatedHeader } from "./generated-file.js";

const gen = "packages/ipc-client/src/gen";

/** The files of `@continuum/ipc-client`: one mixin per domain, and their composition. */
export function emitClient({ commands }: ContractModel): readonly GeneratedFile[] {
  const domains = new Map<string, CommandModel[]>();
  for (const command of commands) {
    const domain = domainOf(command.name);
    domains.set(domain, [...(domains.get(domain) ?? []), command]);
  }
  const sorted = [...domains].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...sorted.map(([domain, list]) => ({ path: `${gen}/${domain}-mixin.ts`, text: emitMixin(domain, list) })),
    { path: `${gen}/domains.ts`, text: emitDomains(sorted.map(([domain]) => domain)) },
  ];
}

/** The parameters as a method takes them: none, required, or an object that may be left out. */
function paramsOf(command: CommandModel): { declared: string; passed: string } {
  if (command.params.length === 0) return { declared: "", passed: "{}" };
  const type = `${toPascalCase(command.name)}Params`;
  const allOptional = command.params.every(({ optional }) => optional);
  return { declared: `params: ${type}${allOptional ? " = {}" : ""}, `, passed: "params" };
}

function emitMixin(domain: string, commands: readonly CommandModel[]): string {
  const pascal = toPascalCase(domain);
  const typeNames = commands.flatMap((command) => {
    const name = toPascalCase(command.name);
    return command.params.length === 0 ? [`${name}Reply`] : [`${name}Params`, `${name}Reply`];
  });
  const declared = commands.map((command) => {
    const { declared } = paramsOf(command);
    const optional = declared.includes(" = {}");
    return `  /** ${command.description} */
  ${command.method}(${declared.replace(" = {}", "").replace("params:", optional ? "params?:" : "params:")}options?: CallOptions): Promise<${toPascalCase(command.name)}Reply>;
`;
  });
  const methods = commands.map((command) => {
    const { declared, passed } = paramsOf(command);
    return `    ${command.method}(${declared}options?: CallOptions): Promise<${toPascalCase(command.name)}Reply> {
      return this.call(${JSON.stringify(command.name)}, ${passed}, options);
    }
`;
  });
  const source = commands.map(({ name }) => `schemas/commands/${toKebabCase(name)}.json`).join(", ");
  return `${generatedHeader(source)}import type { ${typeNames.sort().join(", ")} } from "@continuum/wire-types/commands";
import type { CallOptions, CommandCaller, Constructor } from "../command-caller";

/** The commands of the domain \`${domain}\`, typed. */
export interface ${pascal}Commands {
${declared.join("")}}

/** Adds the commands of the domain \`${domain}\` to a client. */
export function ${pascal}Mixin<B extends Constructor<CommandCaller>>(Base: B): B & Constructor<${pascal}Commands> {
  return class extends Base implements ${pascal}Commands {
${methods.join("")}  };
}
`;
}

function emitDomains(domains: readonly string[]): string {
  const names = domains.map(toPascalCase);
  const imports = domains.map(
    (domain) =>
      `import { type ${toPascalCase(domain)}Commands, ${toPascalCase(domain)}Mixin } from "./${domain}-mixin";\n`,
  );
  const commands = names.map((name) => `${name}Commands`).join(" & ");
  const composed = names.reduce((inner, name) => `${name}Mixin(${inner})`, "Base");
  return `${generatedHeader("schemas/commands/")}import type { CommandCaller, Constructor } from "../command-caller";
${imports.join("")}
/** Every domain's mixin, by domain. */
export const domainMixins = { ${domains.map((domain) => `${JSON.stringify(domain)}: ${toPascalCase(domain)}Mixin`).join(", ")} } as const;

/** Every command of the contract as a method. */
export type DomainCommands = ${commands};

/** Adds every domain's commands to a client. */
export function withDomains<B extends Constructor<CommandCaller>>(Base: B): B & Constructor<DomainCommands> {
  return ${composed};
}
`;
}
