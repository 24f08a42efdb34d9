import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import { contractSchema } from "./contract-schema.js";
import { brokerSnapshotSchema, type BrokerSnapshot } from "./index.js";

describe("contractSchema", () => {
  it("keeps the schema's own type, so that it composes", () => {
    const named = brokerSnapshotSchema.extend({ host: z.string() });
    expectTypeOf<z.output<typeof named>>().toExtend<BrokerSnapshot>();
    expect(named.safeParse({}).success).toBe(false);
  });

  it("doesn't compile for a type that is wider, narrower or different", () => {
    // @ts-expect-error -- the schema lacks a field of the type
    contractSchema<{ a: number; b: string }>()(z.strictObject({ a: z.number() }));
    // @ts-expect-error -- the schema has a field that the type lacks
    contractSchema<{ a: number }>()(z.strictObject({ a: z.number(), b: z.string() }));
    // @ts-expect-error -- a field of another type
    contractSchema<{ a: number }>()(z.strictObject({ a: z.string() }));
    // @ts-expect-error -- narrower: one tag is missing
    contractSchema<"a" | "b">()(z.enum(["a"]));
  });
});
