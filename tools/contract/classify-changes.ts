import {
  type FieldShape,
  formatShape,
  type NamedShape,
  type NumberShape,
  type Shape,
  tagOf,
} from "./shape.js";

/** Who writes values of a type: only the core (replies, events), only clients (parameters), or both. */
export type Direction = "sent" | "received" | "both";

/** One change of the contract. `rule` names the row of the documented table that decided. */
export interface ContractChange {
  readonly severity: "breaking" | "additive";
  readonly rule: ChangeRule;
  /** A type's or command's name, then the path within it. */
  readonly where: string;
  readonly before: string;
  readonly after: string;
}

/** Every rule that a change is decided by; docs/contract-changes.md explains each. */
export type ChangeRule =
  | "typeAdded"
  | "typeRemoved"
  | "typeMoved"
  | "fieldAdded"
  | "fieldRemoved"
  | "optionalFieldAdded"
  | "becameRequired"
  | "becameOptional"
  | "becameNullable"
  | "becameNonNullable"
  | "retyped"
  | "integerToNumber"
  | "numberToInteger"
  | "boundWidened"
  | "boundNarrowed"
  | "enumMemberAdded"
  | "enumMemberRemoved"
  | "unionMemberAdded"
  | "unionMemberRemoved"
  | "tagAdded"
  | "tagRemoved"
  | "commandAdded"
  | "commandRemoved"
  | "paramAdded"
  | "optionalParamAdded"
  | "paramRemoved"
  | "accessTightened"
  | "accessLoosened"
  | "idempotenceLost"
  | "idempotenceGained";

const absent = "(absent)";

/** The changes from one set of types to another; `directionOf` says who writes values of a type. */
export function classifyTypes(
  before: readonly NamedShape[],
  after: readonly NamedShape[],
  directionOf: (name: string) => Direction,
): readonly ContractChange[] {
  const changes: ContractChange[] = [];
  const afterByName = new Map(after.map((type) => [type.name, type]));
  const beforeNames = new Set(before.map((type) => type.name));
  for (const old of before) {
    const now = afterByName.get(old.name);
    if (now === undefined) {
      changes.push({
        severity: "breaking",
        rule: "typeRemoved",
        where: old.name,
        before: "type",
        after: absent,
      });
      continue;
    }
    if (old.folder !== now.folder) {
      changes.push({
        severity: "breaking",
        rule: "typeMoved",
        where: old.name,
        before: old.folder,
        after: now.folder,
      });
    }
    changes.push(...classifyShape(old.name, old.shape, now.shape, directionOf(old.name)));
  }
  for (const now of after) {
    if (beforeNames.has(now.name)) continue;
    changes.push({ severity: "additive", rule: "typeAdded", where: now.name, before: absent, after: "type" });
  }
  return changes;
}

/** The changes from one shape to another at one place. */
export function classifyShape(
  where: string,
  before: Shape,
  after: Shape,
  direction: Direction,
): readonly ContractChange[] {
  if (before.kind === "number" && after.kind === "number")
    return classifyNumber(where, before, after, direction);
  if (before.kind === "array" && after.kind === "array") {
    return classifyShape(`${where}[]`, before.items, after.items, direction);
  }
  if (before.kind === "record" && after.kind === "record") {
    return classifyShape(`${where}{}`, before.values, after.values, direction);
  }
  if (before.kind === "object" && after.kind === "object" && tagOf(before) === tagOf(after)) {
    return classifyFields(where, before.fields, after.fields, direction);
  }
  if (formatShape(before) === formatShape(after)) return [];
  if (before.kind === "union" || after.kind === "union")
    return classifyUnion(where, before, after, direction);
  return [change("breaking", "retyped", where, before, after)];
}

function classifyNumber(
  where: string,
  before: NumberShape,
  after: NumberShape,
  direction: Direction,
): ContractChange[] {
  const changes: ContractChange[] = [];
  if (before.integer !== after.integer) {
    const rule = before.integer ? "integerToNumber" : "numberToInteger";
    changes.push(
      asSet(
        before.integer,
        rule,
        where,
        before.integer ? "integer" : "number",
        after.integer ? "integer" : "number",
        direction,
      ),
    );
  }
  const low = compareBounds(before.minimum ?? -Infinity, after.minimum ?? -Infinity);
  const high = compareBounds(after.maximum ?? Infinity, before.maximum ?? Infinity);
  const text = (n: NumberShape): string => `${n.minimum ?? "-∞"} to ${n.maximum ?? "∞"}`;
  if (low > 0 || high > 0)
    changes.push(asSet(true, "boundWidened", where, text(before), text(after), direction));
  if (low < 0 || high < 0)
    changes.push(asSet(false, "boundNarrowed", where, text(before), text(after), direction));
  return changes;
}

/** Positive when the first is greater: infinities compare, their difference wouldn't. */
function compareBounds(a: number, b: number): number {
  return a === b ? 0 : a > b ? 1 : -1;
}

/** More values than before harm who reads them, fewer harm who writes them. */
function asSet(
  widened: boolean,
  rule: ChangeRule,
  where: string,
  before: string,
  after: string,
  direction: Direction,
): ContractChange {
  const harmless = widened ? direction === "received" : direction === "sent";
  return { severity: harmless ? "additive" : "breaking", rule, where, before, after };
}

function classifyFields(
  where: string,
  before: readonly FieldShape[],
  after: readonly FieldShape[],
  direction: Direction,
): ContractChange[] {
  const changes: ContractChange[] = [];
  const now = new Map(after.map((field) => [field.name, field]));
  for (const old of before) {
    const at = `${where}.${old.name}`;
    const field = now.get(old.name);
    now.delete(old.name);
    if (field === undefined) {
      changes.push({
        severity: "breaking",
        rule: "fieldRemoved",
        where: at,
        before: formatShape(old.shape),
        after: absent,
      });
      continue;
    }
    if (old.optional && !field.optional)
      changes.push(change("breaking", "becameRequired", at, old.shape, field.shape));
    if (!old.optional && field.optional) {
      const severity = direction === "received" ? "additive" : "breaking";
      changes.push(change(severity, "becameOptional", at, old.shape, field.shape));
    }
    changes.push(...classifyShape(at, old.shape, field.shape, direction));
  }
  for (const field of now.values()) {
    const severity = field.optional ? "additive" : "breaking";
    const rule = field.optional ? "optionalFieldAdded" : "fieldAdded";
    changes.push({
      severity,
      rule,
      where: `${where}.${field.name}`,
      before: absent,
      after: formatShape(field.shape),
    });
  }
  return changes;
}

function classifyUnion(where: string, before: Shape, after: Shape, direction: Direction): ContractChange[] {
  const membersOf = (shape: Shape): readonly Shape[] => (shape.kind === "union" ? shape.members : [shape]);
  const keyOf = (shape: Shape): string =>
    tagOf(shape) ?? (shape.kind === "number" ? "number" : formatShape(shape));
  const old = new Map(membersOf(before).map((member) => [keyOf(member), member]));
  const now = new Map(membersOf(after).map((member) => [keyOf(member), member]));
  const kept = [...old.keys()].filter((key) => now.has(key));
  if (kept.length === 0) return [change("breaking", "retyped", where, before, after)];
  const changes: ContractChange[] = [];
  for (const [key, member] of old) {
    const still = now.get(key);
    if (still !== undefined)
      changes.push(
        ...classifyShape(tagOf(member) === null ? where : `${where}<${key}>`, member, still, direction),
      );
    else changes.push(memberRemoved(where, member, direction));
  }
  for (const [key, member] of now) if (!old.has(key)) changes.push(memberAdded(where, member, direction));
  return changes;
}

function memberAdded(where: string, member: Shape, direction: Direction): ContractChange {
  const after = formatShape(member);
  if (member.kind === "null") return asSet(true, "becameNullable", where, absent, after, direction);
  if (tagOf(member) !== null) return { severity: "breaking", rule: "tagAdded", where, before: absent, after };
  if (member.kind === "literal") {
    const severity = direction === "sent" ? "additive" : "breaking";
    return { severity, rule: "enumMemberAdded", where, before: absent, after };
  }
  return asSet(true, "unionMemberAdded", where, absent, after, direction);
}

function memberRemoved(where: string, member: Shape, direction: Direction): ContractChange {
  const before = formatShape(member);
  if (member.kind === "null") return asSet(false, "becameNonNullable", where, before, absent, direction);
  if (tagOf(member) !== null)
    return { severity: "breaking", rule: "tagRemoved", where, before, after: absent };
  if (member.kind === "literal")
    return { severity: "breaking", rule: "enumMemberRemoved", where, before, after: absent };
  return asSet(false, "unionMemberRemoved", where, before, absent, direction);
}

function change(
  severity: ContractChange["severity"],
  rule: ChangeRule,
  where: string,
  before: Shape,
  after: Shape,
): ContractChange {
  return { severity, rule, where, before: formatShape(before), after: formatShape(after) };
}
