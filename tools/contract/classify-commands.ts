import type { AccessLevel, CommandModel } from "../generate/contract-model.js";
import { classifyShape, type ContractChange, type Direction } from "./classify-changes.js";
import { type FieldShape, formatShape, type NamedShape, type Shape } from "./shape.js";

/** What of a command is part of the contract. */
export type CommandContract = Pick<
  CommandModel,
  "name" | "params" | "results" | "accessLevel" | "idempotent"
>;

const absent = "(absent)";
const strictness: Readonly<Record<AccessLevel, number>> = { public: 0, "ai-safe": 1, "admin-only": 2 };

/** The changes from one set of commands to another. Parameters are written by clients, results by the core. */
export function classifyCommands(
  before: readonly CommandContract[],
  after: readonly CommandContract[],
): readonly ContractChange[] {
  const changes: ContractChange[] = [];
  const now = new Map(after.map((command) => [command.name, command]));
  for (const old of before) {
    const command = now.get(old.name);
    now.delete(old.name);
    if (command === undefined) {
      changes.push({
        severity: "breaking",
        rule: "commandRemoved",
        where: old.name,
        before: "command",
        after: absent,
      });
    } else {
      changes.push(
        ...classifyParams(old, command),
        ...classifyResults(old, command),
        ...classifyTerms(old, command),
      );
    }
  }
  for (const name of now.keys()) {
    changes.push({
      severity: "additive",
      rule: "commandAdded",
      where: name,
      before: absent,
      after: "command",
    });
  }
  return changes;
}

function classifyParams(before: CommandContract, after: CommandContract): readonly ContractChange[] {
  const changes: ContractChange[] = [];
  const now = new Map(after.params.map((param) => [param.name, param]));
  for (const old of before.params) {
    const where = `${before.name} params.${old.name}`;
    const param = now.get(old.name);
    now.delete(old.name);
    if (param === undefined) {
      changes.push({
        severity: "breaking",
        rule: "paramRemoved",
        where,
        before: formatShape(old.shape),
        after: absent,
      });
    } else {
      changes.push(...classifyShape(`${before.name} params`, toObject([old]), toObject([param]), "received"));
    }
  }
  for (const param of now.values()) {
    const where = `${before.name} params.${param.name}`;
    const severity = param.optional ? "additive" : "breaking";
    const rule = param.optional ? "optionalParamAdded" : "paramAdded";
    changes.push({ severity, rule, where, before: absent, after: formatShape(param.shape) });
  }
  return changes;
}

function classifyResults(before: CommandContract, after: CommandContract): readonly ContractChange[] {
  return classifyShape(`${before.name} results`, toObject(before.results), toObject(after.results), "sent");
}

function classifyTerms(before: CommandContract, after: CommandContract): readonly ContractChange[] {
  const changes: ContractChange[] = [];
  const where = before.name;
  const stricter = strictness[after.accessLevel] - strictness[before.accessLevel];
  if (stricter !== 0) {
    changes.push({
      severity: stricter > 0 ? "breaking" : "additive",
      rule: stricter > 0 ? "accessTightened" : "accessLoosened",
      where,
      before: before.accessLevel,
      after: after.accessLevel,
    });
  }
  if (before.idempotent !== after.idempotent) {
    changes.push({
      severity: before.idempotent ? "breaking" : "additive",
      rule: before.idempotent ? "idempotenceLost" : "idempotenceGained",
      where,
      before: before.idempotent ? "idempotent" : "not idempotent",
      after: after.idempotent ? "idempotent" : "not idempotent",
    });
  }
  return changes;
}

function toObject(fields: readonly FieldShape[]): Shape {
  return { kind: "object", fields };
}

/** Who writes values of each type: clients where a parameter reaches it, the core everywhere else, or both. */
export function directionsOf(
  types: readonly NamedShape[],
  commands: readonly CommandContract[],
): (name: string) => Direction {
  const shapes = new Map(types.map(({ name, shape }) => [name, shape]));
  const received = reachable(
    commands.flatMap(({ params }) => params),
    shapes,
  );
  const sent = reachable(
    commands.flatMap(({ results }) => results),
    shapes,
  );
  return (name) => (received.has(name) ? (sent.has(name) ? "both" : "received") : "sent");
}

function reachable(fields: readonly FieldShape[], shapes: ReadonlyMap<string, Shape>): ReadonlySet<string> {
  const found = new Set<string>();
  const queue: Shape[] = [{ kind: "object", fields }];
  for (let shape = queue.pop(); shape !== undefined; shape = queue.pop()) {
    if (shape.kind === "ref") {
      const target = shapes.get(shape.name);
      if (!found.has(shape.name) && target !== undefined) queue.push(target);
      found.add(shape.name);
    } else if (shape.kind === "array") queue.push(shape.items);
    else if (shape.kind === "record") queue.push(shape.values);
    else if (shape.kind === "tuple") queue.push(...shape.items);
    else if (shape.kind === "union") queue.push(...shape.members);
    else if (shape.kind === "object") queue.push(...shape.fields.map((field) => field.shape));
  }
  return found;
}
