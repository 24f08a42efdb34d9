import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ContractModel } from "../generate/contract-model.js";
import { GenerateError } from "../generate/generate-error.js";
import { classifyTypes, type ContractChange } from "./classify-changes.js";
import { classifyCommands, type CommandContract, directionsOf } from "./classify-commands.js";
import type { FieldShape, NamedShape, Shape } from "./shape.js";

/** Where the accepted contract stands. */
export const lockPath = "schemas/contract.lock.json";
/** Where the contract's version stands: raised by hand with a breaking change. */
const versionPath = "schemas/contract.json";

/** The contract as it was accepted last; docs don't belong to it. */
export interface ContractLock {
  readonly version: number;
  readonly types: readonly Pick<NamedShape, "name" | "folder" | "shape">[];
  readonly commands: readonly CommandContract[];
}

/** How the contract stands against its lock. */
export interface ContractCheck {
  readonly lockedVersion: number;
  readonly version: number;
  readonly changes: readonly ContractChange[];
  /** Whether CI passes: no breaking change, or a raised version; and a lock that holds the contract. */
  readonly ok: boolean;
  /** What to do, when it isn't. */
  readonly mend: string | null;
}

/** The lock that accepts a contract at a version. */
export function toLock({ types, commands }: ContractModel, version: number): ContractLock {
  return {
    version,
    types: types.map(({ name, folder, shape }) => ({ name, folder, shape: withoutDocs(shape) })),
    commands: commands.map(({ name, params, results, accessLevel, idempotent }) => ({
      name,
      params: params.map(fieldWithoutDocs),
      results: results.map(fieldWithoutDocs),
      accessLevel,
      idempotent,
    })),
  };
}

/** Holds the contract against its lock. */
export function checkContract(lock: ContractLock, contract: ContractModel, version: number): ContractCheck {
  const now = toLock(contract, version);
  const before = lock.types.map((type) => ({ ...type, doc: "" }));
  const after = now.types.map((type) => ({ ...type, doc: "" }));
  const directions = [directionsOf(before, lock.commands), directionsOf(after, now.commands)] as const;
  const changes = [
    ...classifyTypes(before, after, (name) => {
      const [old, current] = [directions[0](name), directions[1](name)];
      return old === current ? old : "both";
    }),
    ...classifyCommands(lock.commands, now.commands),
  ];
  return { lockedVersion: lock.version, version, changes, ...judge(lock.version, version, changes) };
}

function judge(
  locked: number,
  version: number,
  changes: readonly ContractChange[],
): Pick<ContractCheck, "ok" | "mend"> {
  if (version < locked)
    return { ok: false, mend: `the version in ${versionPath} went back from ${locked} to ${version}` };
  if (changes.some(({ severity }) => severity === "breaking") && version === locked) {
    return {
      ok: false,
      mend: `undo the breaking change, or raise the version in ${versionPath} to ${locked + 1} and run: npm run contract -- accept`,
    };
  }
  return { ok: true, mend: null };
}

/** Reads the lock; throws a GenerateError when it can't be read. */
export async function readLock(workspace: string): Promise<ContractLock> {
  return (await readJson(workspace, lockPath, "npm run contract -- accept")) as ContractLock;
}

/** Reads the contract's version, a positive whole number; throws a GenerateError for anything else. */
export async function readVersion(workspace: string): Promise<number> {
  const json = await readJson(workspace, versionPath, `write { "version": 1 }`);
  const version = typeof json === "object" && json !== null && "version" in json ? json.version : undefined;
  if (typeof version === "number" && Number.isSafeInteger(version) && version > 0) return version;
  throw new GenerateError(versionPath, "version must be a positive whole number");
}

async function readJson(workspace: string, path: string, mend: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(join(workspace, path), "utf8")) as unknown;
  } catch (cause) {
    throw new GenerateError(
      path,
      `can't be read (${cause instanceof Error ? cause.message : String(cause)}); to mend: ${mend}`,
      { cause },
    );
  }
}

function fieldWithoutDocs(field: FieldShape): FieldShape {
  return { ...field, doc: "", shape: withoutDocs(field.shape) };
}

function withoutDocs(shape: Shape): Shape {
  switch (shape.kind) {
    case "array":
      return { ...shape, items: withoutDocs(shape.items) };
    case "record":
      return { ...shape, values: withoutDocs(shape.values) };
    case "tuple":
      return { ...shape, items: shape.items.map(withoutDocs) };
    case "union":
      return { ...shape, members: shape.members.map(withoutDocs) };
    case "object":
      return { ...shape, fields: shape.fields.map(fieldWithoutDocs) };
    default:
      return shape;
  }
}
