import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { type ContractSchema, namedShapeFromSchema } from "../contract/shape-from-schema.js";
import { formatShape, type NamedShape } from "../contract/shape.js";
import { type CommandModel, type ContractModel, domainOf, referencesOf } from "./contract-model.js";
import { formatSpecProblem, readCommandSpec, type SpecProblem } from "./read-command-spec.js";
import { GenerateError } from "./generate-error.js";
import { nearestName } from "./nearest-name.js";

const notTypes = new Set(["commands", "vectors"]);

/** Reads `schemas/` below a workspace: every wire type and every command spec, sorted by name, references checked. */
export async function readContract(workspace: string): Promise<ContractModel> {
  const root = join(workspace, "schemas");
  const types = await readTypes(root);
  const typeNames = new Set(types.map(({ name }) => name));
  for (const type of types) {
    const missing = referencesOf(type.shape).find((name) => !typeNames.has(name));
    if (missing === undefined) continue;
    const nearest = nearestName(missing, typeNames);
    throw new GenerateError(
      `schemas/${type.folder}/${type.name}.json`,
      `refers to ${missing}, which has no schema${nearest === null ? "" : `; did you mean ${nearest}?`}`,
    );
  }
  refuseCircles(types);
  const commands: CommandModel[] = [];
  const problems: SpecProblem[] = [];
  for (const file of await jsonFiles(join(root, "commands"))) {
    const source = relative(workspace, file).replaceAll("\\", "/");
    const reading = readCommandSpec(source, await readFile(file, "utf8"), typeNames);
    if (reading.ok) commands.push(reading.command);
    else problems.push(...reading.problems);
  }
  if (problems.length > 0) throw new GenerateError(null, problems.map(formatSpecProblem).join("\n"));
  commands.sort((a, b) => (a.name < b.name ? -1 : 1));
  refuseClashes(commands);
  return { types, commands };
}

async function readTypes(root: string): Promise<readonly NamedShape[]> {
  const types: NamedShape[] = [];
  const entries = await readdir(root, { withFileTypes: true });
  for (const folder of entries
    .filter((entry) => entry.isDirectory() && !notTypes.has(entry.name))
    .map(({ name }) => name)) {
    for (const file of await jsonFiles(join(root, folder))) {
      const source = `schemas/${relative(root, file).replaceAll("\\", "/")}`;
      const schema = (await readJson(file, source)) as ContractSchema;
      const type = namedShapeFromSchema(relative(root, file).replaceAll("\\", "/"), schema);
      if (schema.title !== type.name)
        throw new GenerateError(source, `its title must be ${type.name}, like its file`);
      const text = formatShape(type.shape);
      if (text.includes("unreadable: "))
        throw new GenerateError(source, `a part of it isn't understood: ${text}`);
      const other = types.find(({ name }) => name === type.name);
      if (other !== undefined)
        throw new GenerateError(source, `${type.name} exists in schemas/${other.folder} too`);
      types.push(type);
    }
  }
  return types.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function jsonFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  return names
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => join(directory, name));
}

async function readJson(file: string, source: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as unknown;
  } catch (cause) {
    throw new GenerateError(source, cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Types that need each other to be checked can't be: each validator stands on those that it refers to. */
function refuseCircles(types: readonly NamedShape[]): void {
  const references = new Map(types.map(({ name, shape }) => [name, referencesOf(shape)]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    if (done.has(name)) return;
    const start = path.indexOf(name);
    if (start >= 0) {
      const { folder } = types.find((type) => type.name === name) ?? { folder: "" };
      const circle = [...path.slice(start), name].join(" -> ");
      throw new GenerateError(`schemas/${folder}/${name}.json`, `refers to itself in a circle: ${circle}`);
    }
    for (const reference of references.get(name) ?? []) visit(reference, [...path, name]);
    done.add(name);
  };
  for (const { name } of types) visit(name, []);
}

/** Two commands of one name, or two client methods of one name, can't both be served. */
function refuseClashes(commands: ContractModel["commands"]): void {
  const names = new Map<string, string>();
  const methods = new Map<string, string>();
  for (const { name, method, source } of commands) {
    const sameName = names.get(name);
    if (sameName !== undefined)
      throw new GenerateError(source, `the command ${name} stands in ${sameName} already`);
    const sameMethod = methods.get(method);
    if (sameMethod !== undefined) {
      throw new GenerateError(
        source,
        `its client method ${method}() is ${sameMethod}'s already: set "method" (domain ${domainOf(name)})`,
      );
    }
    names.set(name, source);
    methods.set(method, name);
  }
}
