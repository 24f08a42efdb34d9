import type { FieldShape, NamedShape, Shape } from "../contract/shape.js";

/** Who may call a command. */
export type AccessLevel = "public" | "ai-safe" | "admin-only";

/** An example of a command, for help texts and reference pages. */
export interface CommandExample {
  readonly description: string;
  readonly command: string;
  readonly expectedResult: string | null;
}

/** One command as its spec says, both ages of spec brought to one form. */
export interface CommandModel {
  readonly name: string;
  readonly description: string;
  readonly params: readonly FieldShape[];
  /** Every result of the server command, `success` included. */
  readonly results: readonly FieldShape[];
  /** The one result whose value is the core's whole reply; null when the reply is an object of the results. */
  readonly wholeReply: FieldShape | null;
  readonly examples: readonly CommandExample[];
  readonly accessLevel: AccessLevel;
  readonly idempotent: boolean;
  /** The client's method name. */
  readonly method: string;
  /** Whether host servers get a class for it. */
  readonly serverCommand: boolean;
  /** The spec's file, relative to the workspace. */
  readonly source: string;
}

/** Everything that the generator reads. */
export interface ContractModel {
  readonly types: readonly NamedShape[];
  readonly commands: readonly CommandModel[];
}

/** The first segment of a command's name; `core` for a command without one. */
export function domainOf(command: string): string {
  const slash = command.indexOf("/");
  return slash === -1 ? "core" : command.slice(0, slash);
}

/** `system/docker-tier-stats` -> `SystemDockerTierStats`. */
export function toPascalCase(name: string): string {
  return name
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join("");
}

/** `BrokerSnapshot` and `docker-tier-stats` -> `brokerSnapshot`, `dockerTierStats`. */
export function toCamelCase(name: string): string {
  const pascal = toPascalCase(name);
  return pascal.charAt(0).toLowerCase() + pascal.slice(1);
}

/** `system/docker-tier-stats` -> `system-docker-tier-stats`. */
export function toKebabCase(name: string): string {
  return name.replaceAll("/", "-");
}

/** The named types that a shape refers to, sorted. */
export function referencesOf(shape: Shape): readonly string[] {
  const found = new Set<string>();
  collectReferences(shape, found);
  return [...found].sort();
}

/** The named types that any of these fields refers to, sorted. */
export function referencesOfFields(fields: readonly FieldShape[]): readonly string[] {
  return referencesOf({ kind: "object", fields });
}

function collectReferences(shape: Shape, into: Set<string>): void {
  switch (shape.kind) {
    case "ref":
      into.add(shape.name);
      break;
    case "array":
      collectReferences(shape.items, into);
      break;
    case "record":
      collectReferences(shape.values, into);
      break;
    case "tuple":
      for (const item of shape.items) collectReferences(item, into);
      break;
    case "union":
      for (const member of shape.members) collectReferences(member, into);
      break;
    case "object":
      for (const field of shape.fields) collectReferences(field.shape, into);
      break;
    default:
  }
}
