import { z } from "zod";

const fieldName = z.string().regex(/^[A-Za-z_$][\w$]*$/, { error: "an identifier" });

/** A parameter or a result. `required` is today's word, `optional` the older one. */
const fieldSpec = z.strictObject({
  name: fieldName,
  type: z.string().min(1, { error: "a type" }),
  description: z.string().default(""),
  required: z.boolean().optional(),
  optional: z.boolean().optional(),
});

const exampleSpec = z.union(
  [
    z.string(),
    z.looseObject({
      description: z.string().default(""),
      command: z.string(),
      expectedResult: z.unknown().optional(),
    }),
    z.looseObject({
      description: z.string().default(""),
      params: z.record(z.string(), z.unknown()),
      expectedResult: z.unknown().optional(),
    }),
  ],
  { error: 'a string, or an object with "command" or "params"' },
);

/** A command's spec as people write it, of either age. */
export const commandSpec = z.strictObject({
  $schema: z.string().optional(),
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]*(\/[a-z][a-z0-9-]*)*$/, { error: "lower-case words joined by - and /" }),
  description: z.string().min(1, { error: "a description" }),
  params: z.array(fieldSpec).default([]),
  results: z.array(fieldSpec).default([]),
  examples: z.array(exampleSpec).default([]),
  accessLevel: z.enum(["public", "ai-safe", "admin-only"]).default("ai-safe"),
  /** Whether a client may send it again when nobody knows if it was executed. */
  idempotent: z.boolean().default(false),
  /** The client's method, when the last word of the name won't do. */
  method: z
    .string()
    .regex(/^[a-z][A-Za-z0-9]*$/, { error: "a method name" })
    .optional(),
  /** False for commands that make no sense in a host server. */
  serverCommand: z.boolean().default(true),
});

/** A spec that has the right form; its types aren't read yet. */
export type CommandSpec = z.output<typeof commandSpec>;

/** A parameter or a result of such a spec. */
export type FieldSpec = z.output<typeof fieldSpec>;

/** The keys that a spec and its fields may have, to suggest the one that was meant. */
export const specKeys: readonly string[] = [
  ...Object.keys(commandSpec.shape),
  ...Object.keys(fieldSpec.shape),
];
