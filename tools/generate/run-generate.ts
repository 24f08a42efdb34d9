import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildFiles } from "./build-files.js";
import { compareFiles, type Drift } from "./compare-files.js";
import type { ContractModel } from "./contract-model.js";
import { schemaName } from "./emit-wire-types.js";
import { GenerateError } from "./generate-error.js";
import { readContract } from "./read-contract.js";
import { writeFiles } from "./write-files.js";

/** What a run of the generator found or changed. */
export interface GenerateOutcome {
  readonly files: number;
  readonly drift: readonly Drift[];
  /** Types that `packages/wire-types/src/index.ts`, which is owned, doesn't list yet. */
  readonly unlisted: readonly string[];
}

/** Generates below a workspace; with `check` nothing is written. Throws `GenerateError` before anything is written. */
export async function runGenerate(
  workspace: string,
  { check }: { readonly check: boolean },
): Promise<GenerateOutcome> {
  const contract = await readContract(workspace);
  const files = buildFiles(contract);
  const drift = await compareFiles(workspace, files);
  if (!check) await writeFiles(workspace, files, drift);
  return { files: files.length, drift, unlisted: await unlistedTypes(workspace, contract) };
}

async function unlistedTypes(workspace: string, { types }: ContractModel): Promise<readonly string[]> {
  const path = "packages/wire-types/src/index.ts";
  const text = await readFile(join(workspace, path), "utf8").catch((cause: unknown) => {
    throw new GenerateError(path, "can't be read", { cause });
  });
  const listed = new Set(text.match(/\w+/g));
  return types
    .map(({ name }) => name)
    .filter((name) => ![name, `decode${name}`, schemaName(name)].every((n) => listed.has(n)));
}

/** One line per finding, each with what mends it. */
export function describeDrift(drift: Drift): string {
  switch (drift.kind) {
    case "missing":
      return `${drift.path}: missing`;
    case "orphan":
      return `${drift.path}: nothing in schemas/ stands behind it`;
    case "differs":
      return `${drift.path}:${drift.line}: edited by hand, or its schema changed\n    expected ${drift.expected}\n    found    ${drift.found}`;
  }
}
