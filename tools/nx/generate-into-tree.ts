import { scaffoldSpec, specPath } from "../command/init-spec.js";
import { buildFiles } from "../generate/build-files.js";
import { compareFiles } from "../generate/compare-files.js";
import { GenerateError } from "../generate/generate-error.js";
import { readCommandSpec } from "../generate/read-command-spec.js";
import { readContract } from "../generate/read-contract.js";

/** The part of Nx's tree that is used. */
export interface FileTree {
  readonly root: string;
  exists(path: string): boolean;
  write(path: string, text: string): void;
  delete(path: string): void;
}

/** Writes a new spec when a name is given, and everything that comes from the specs, into Nx's tree. */
export async function generateIntoTree(
  tree: FileTree,
  { name, force }: { readonly name: string | null; readonly force: boolean },
): Promise<void> {
  const contract = await readContract(tree.root);
  const commands = [...contract.commands];
  if (name !== null) {
    const path = specPath(name);
    if (tree.exists(path) && !force)
      throw new GenerateError(path, "exists already; to start it afresh: --force");
    const text = scaffoldSpec(name);
    tree.write(path, text);
    const reading = readCommandSpec(path, text, new Set(contract.types.map((type) => type.name)));
    if (!reading.ok) throw new GenerateError(path, "the scaffold is no valid spec");
    const others = commands.filter((command) => command.name !== name);
    commands.splice(0, commands.length, ...others, reading.command);
    commands.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
  const files = buildFiles({ ...contract, commands });
  const texts = new Map(files.map((file) => [file.path, file.text]));
  for (const { kind, path } of await compareFiles(tree.root, files)) {
    if (kind === "orphan") tree.delete(path);
    else tree.write(path, texts.get(path) ?? "");
  }
}
