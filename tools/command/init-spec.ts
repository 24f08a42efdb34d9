import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toKebabCase } from "../generate/contract-model.js";
import { GenerateError } from "../generate/generate-error.js";

/** Where a command's spec stands; throws a GenerateError for a name that no command can have. */
export function specPath(name: string): string {
  if (!/^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)*$/.test(name)) {
    throw new GenerateError(
      null,
      `got the name ${JSON.stringify(name)}, expected lower-case words joined by - and /, for example "system/disk-report"`,
    );
  }
  return `schemas/commands/${toKebabCase(name)}.json`;
}

/** The text of a new command's spec: valid, and ready to be edited. */
export function scaffoldSpec(name: string): string {
  return `${JSON.stringify(scaffold(name), null, 2)}\n`;
}

/** Writes a new command's spec; gives its path. Throws a GenerateError, writing nothing. */
export async function initSpec(
  workspace: string,
  name: string,
  { force }: { readonly force: boolean },
): Promise<string> {
  const path = specPath(name);
  const file = join(workspace, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, scaffoldSpec(name), { flag: force ? "w" : "wx" }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new GenerateError(path, "exists already; to start it afresh: --force");
  });
  return path;
}

function scaffold(name: string): object {
  return {
    name,
    description: `Says what ${name} does, in one sentence.`,
    params: [{ name: "subject", type: "string", required: true, description: "What it is about." }],
    results: [
      { name: "success", type: "boolean", description: "Whether the command succeeded." },
      { name: "summary", type: "string", description: "What came of it." },
    ],
    examples: [
      { description: "A first call", command: `continuum call ${name} --params '{"subject":"disk"}'` },
    ],
    accessLevel: "ai-safe",
    idempotent: false,
  };
}
