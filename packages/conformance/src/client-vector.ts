import { z } from "zod";

const pattern = z.json();
const attachmentSchema = z.union([
  z.strictObject({ hex: z.string() }),
  z.strictObject({ byte: z.int().min(0).max(255), length: z.int().min(0).max(268_435_456) }),
]);
const id = z.int().min(0);

/** What the peer sends: a reply to a request by its number on this connection, a frame as it is, or bytes. */
const outgoingSchema = z.union([
  z.strictObject({ replyTo: id, result: z.json(), attachment: attachmentSchema.optional() }),
  z.strictObject({ failTo: id, error: z.string(), errorDetail: z.json().optional() }),
  z.strictObject({ frame: z.json(), attachment: attachmentSchema.optional() }),
  z.strictObject({ hex: z.string() }),
]);

const peerStepSchema = z.union([
  /** Waits for so many more requests, each fitting its pattern, in this order. */
  z.strictObject({ requests: z.array(pattern).min(1) }),
  /** Waits for this many more requests of any kind. */
  z.strictObject({ anyRequests: z.int().min(1) }),
  z.strictObject({
    send: z.array(outgoingSchema),
    split: z.union([z.enum(["whole", "everyByte", "everyPosition"]), z.int().min(1)]).optional(),
  }),
  z.strictObject({ close: z.enum(["end", "reset"]) }),
]);

const operationSchema = z.union([
  z.strictObject({
    request: z.string(),
    params: z.record(z.string(), z.json()).optional(),
    timeoutMs: z.int().optional(),
    expect: z.union([
      z.strictObject({ result: pattern, attachment: attachmentSchema.optional() }),
      z.strictObject({
        error: z.strictObject({
          kind: z.enum(["command", "connection", "other"]),
          code: pattern.optional(),
          message: pattern.optional(),
          detail: pattern.optional(),
          mayHaveExecuted: pattern.optional(),
        }),
      }),
    ]),
  }),
  /** Subscribes, and waits for so many events. */
  z.strictObject({
    subscribe: z.string(),
    expect: z.strictObject({ events: z.array(pattern), gap: z.boolean().optional() }),
  }),
]);

const vectorSchema = z.strictObject({
  name: z.string().min(1),
  about: z.string().min(1),
  level: z.enum(["protocol", "continuum"]),
  /** One script for each connection that the client makes, in order; the last one also for those that come later. */
  connections: z.array(z.array(peerStepSchema)).min(1),
  /** All begun at once, in this order. */
  operations: z.array(operationSchema).min(1),
});

/** A vector for a client: what its peer does, what it is asked to do, and what must come of it. */
export type ClientVector = z.infer<typeof vectorSchema>;
/** One step of the peer. */
export type PeerStep = z.infer<typeof peerStepSchema>;
/** Something the client is asked to do. */
export type ClientOperation = z.infer<typeof operationSchema>;
/** Something the peer sends. */
export type PeerMessage = z.infer<typeof outgoingSchema>;

/** The vectors of a file's JSON. Throws what says where it isn't one. */
export function decodeClientVectors(json: unknown): readonly ClientVector[] {
  return z.array(vectorSchema).parse(json);
}
