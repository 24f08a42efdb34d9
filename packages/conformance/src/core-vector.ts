import { z } from "zod";

const pattern = z.json();
const count = z.int().min(0).max(100_000_000);

/** Bytes to send: text as it is, bytes in hex, one request a JSON object, or one long line. */
const bytesSchema = z.strictObject({
  text: z.string().optional(),
  hex: z
    .string()
    .regex(/^(?:[0-9a-f]{2})*$/u)
    .optional(),
  requests: z.array(z.record(z.string(), z.json())).optional(),
  /** One request of this command for each id of a range. */
  numbered: z.strictObject({ command: z.string(), from: z.int(), to: z.int() }).optional(),
  /** A health-check padded by a parameter to a line of so many bytes, its newline not counted. */
  paddedTo: z.strictObject({ bytes: count, requestId: z.int(), newline: z.boolean() }).optional(),
  repeat: z.int().min(1).max(100_000).optional(),
});

const splitSchema = z.union([z.enum(["whole", "everyByte", "everyPosition"]), z.int().min(1)]);

const stepSchema = z.union([
  z.strictObject({ send: bytesSchema, split: splitSchema.optional(), on: z.string().optional() }),
  /** Exactly these frames come next, in any order. */
  z.strictObject({ replies: z.array(pattern), on: z.string().optional() }),
  /** So many frames with these request ids come, in any order, each fitting the pattern. */
  z.strictObject({
    repliesTo: z.strictObject({ from: z.int(), to: z.int(), each: pattern }),
    on: z.string().optional(),
  }),
  /** A failure without a request id, or the end of the connection: what can't be matched. */
  z.strictObject({ errorOrClosed: z.literal(true), on: z.string().optional() }),
  /** The core closes; frames that come before fit the pattern. */
  z.strictObject({ closed: z.strictObject({ after: pattern.optional() }), on: z.string().optional() }),
  z.strictObject({ endWrites: z.literal(true), on: z.string().optional() }),
  /** No frame comes, and the connection stays open. */
  z.strictObject({ silentForMs: z.int().min(1).max(60_000), on: z.string().optional() }),
  /** A new connection gets an answer. */
  z.strictObject({ healthy: z.literal(true) }),
]);

const vectorSchema = z.strictObject({
  name: z.string().min(1),
  /** Why it matters, or where it stands in the protocol. */
  about: z.string().min(1),
  /** `protocol`: every core must. `continuum`: what this core promises beyond. */
  level: z.enum(["protocol", "continuum"]),
  steps: z.array(stepSchema).min(1),
});

/** A vector for a core: what is sent over connections, and what must come back. */
export type CoreVector = z.infer<typeof vectorSchema>;
/** One step of it. */
export type CoreStep = z.infer<typeof stepSchema>;
/** Bytes that a step sends. */
export type BytesSpec = z.infer<typeof bytesSchema>;

/** The vectors of a file's JSON. Throws what says where it isn't one. */
export function decodeCoreVectors(json: unknown): readonly CoreVector[] {
  return z.array(vectorSchema).parse(json);
}
