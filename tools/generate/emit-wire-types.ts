import type { NamedShape } from "../contract/shape.js";
import { type ContractModel, referencesOf, toCamelCase } from "./contract-model.js";
import { emitGuard } from "./emit-guard.js";
import { emitTsRs } from "./emit-ts-rs.js";
import { emitZod } from "./emit-zod.js";
import { type GeneratedFile, generatedHeader } from "./generated-file.js";

const gen = "packages/wire-types/src/gen";

/** The files of `@continuum/wire-types` that stand for the wire types: types, validators and their barrel. */
export function emitWireTypes({ types }: ContractModel): readonly GeneratedFile[] {
  const folders = new Map(types.map(({ name, folder }) => [name, folder]));
  const folderOf = (name: string): string => folders.get(name) ?? "";
  return [
    ...types.map((type) => ({
      path: `${gen}/${type.folder}/${type.name}.ts`,
      text: generatedHeader(sourceOf(type)) + emitTsRs(type, folderOf),
    })),
    ...types.map((type) => ({ path: `${gen}/validators/${type.name}.ts`, text: emitValidator(type) })),
    { path: `${gen}/types.ts`, text: emitBarrel(types) },
  ];
}

function sourceOf({ folder, name }: NamedShape): string {
  return `schemas/${folder}/${name}.json`;
}

/** `brokerSnapshotSchema`: closed, what this project sends. */
export function schemaName(type: string): string {
  return `${toCamelCase(type)}Schema`;
}

/** `incomingBrokerSnapshot`: lets unknown keys pass, what comes in. */
export function incomingName(type: string): string {
  return `incoming${type}`;
}

/** `isBrokerSnapshot`: the fast yes or no. */
export function guardName(type: string): string {
  return `is${type}`;
}

function emitValidator(type: NamedShape): string {
  const { name, folder } = type;
  const references = referencesOf(type.shape).filter((reference) => reference !== name);
  const imports = references.map(
    (reference) =>
      `import { ${guardName(reference)}, ${incomingName(reference)}, ${schemaName(reference)} } from "./${reference}";\n`,
  );
  const closed = emitZod(type.shape, "closed", schemaName);
  const open = emitZod(type.shape, "open", incomingName);
  const guard = emitGuard(type.shape, "value", guardName);
  const looseValue = guard.includes("isObject(");
  return `${generatedHeader(sourceOf(type))}import { z } from "zod";
import { contractSchema } from "../../contract-schema";
import { decodeGuarded } from "../../decode-guarded";
${looseValue ? `import { isObject, type Loose } from "../../guard";\n` : ""}import type { ${name} } from "../${folder}/${name}";
${imports.join("")}
/** ${name} as this project sends it: unknown keys are refused. */
export const ${schemaName(name)} = contractSchema<${name}>()(${closed});

/** ${name} as it comes in: unknown keys pass, a newer core may send more. */
export const ${incomingName(name)} = contractSchema<${name}>()(${open});

/** Whether a value is a ${name}, unknown keys allowed; at a fraction of the cost of parsing it. */
export function ${guardName(name)}(value: ${looseValue ? "Loose" : "unknown"}): value is ${name} {
  return ${guard};
}

/** Gives the value back as a ${name}; throws a DecodeError that names the path. */
export function decode${name}(value: unknown): ${name} {
  return decodeGuarded(${guardName(name)}, ${incomingName(name)}, value);
}
`;
}

function emitBarrel(types: readonly NamedShape[]): string {
  const lines = types.map(
    ({ name, folder }) =>
      `export type { ${name} } from "./${folder}/${name}";\nexport { decode${name}, ${schemaName(name)} } from "./validators/${name}";\n`,
  );
  return generatedHeader("schemas/") + lines.join("");
}
