import { describe, expect, it } from "vitest";
import { decodeWith } from "./decode-with.js";
import {
  pressureTrendsSchema,
  COMMANDS,
  decodeBrokerSnapshot,
  decodeErrorDetail,
  DecodeError,
  decodeDockerTierProbe,
  decodeDockerTierStats,
  isCommandName,
} from "./index.js";

const caught = (run: () => unknown): DecodeError => {
  try {
    run();
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("DecodeError", () => {
  it("names the path, what was expected and what came", () => {
    const error = caught(() =>
      decodeDockerTierStats({ capacityBytes: 1, usedBytes: 2 ** 53, pressure: 0, detected: true }),
    );
    expect(error).toMatchObject({ path: "usedBytes", expected: "a safe integer", got: "9007199254740992" });
    expect(error.message).toBe("usedBytes: expected a safe integer, got 9007199254740992");
  });

  it("names the tags that exist", () => {
    const error = caught(() => decodeDockerTierProbe({ kind: "lost" }));
    expect(error).toMatchObject({
      path: "kind",
      expected: '"detected" or "notFound" or "unsupported"',
      got: '"lost"',
    });
  });

  it("names the value itself when all of it is wrong", () => {
    expect(caught(() => decodeBrokerSnapshot(undefined)).message).toBe(
      "the value: expected an object, got nothing",
    );
  });

  it("is bounded, whatever came", () => {
    const error = caught(() => decodeBrokerSnapshot({ globalPressure: "x".repeat(1_000_000) }));
    expect(error.message.length).toBeLessThan(200);
  });

  it("keeps a peer's keys short and on one line, in the path and in what came", () => {
    const decodeClosed = (value: unknown): unknown => decodeWith(pressureTrendsSchema, value);
    const trends = { atMs: 1, trends: [] };
    expect(caught(() => decodeClosed({ ...trends, ["k".repeat(1_000_000)]: 1 })).message.length).toBeLessThan(
      200,
    );
    expect(caught(() => decodeClosed({ ...trends, "a\n\u001b[31mb": 1 })).path).toBe('["a\\n\\u001b[31mb"]');
    expect(caught(() => decodeBrokerSnapshot({ globalPressure: { "x\ny": 1 } })).got).toBe(
      'an object with "x\\ny"',
    );
  });

  it("NaN that serde wrote as null", () => {
    expect(
      caught(() => decodeDockerTierStats({ capacityBytes: 1, usedBytes: 1, pressure: null, detected: true })),
    ).toMatchObject({
      path: "pressure",
      expected: "a number",
      got: "null",
    });
  });
});

describe("commands", () => {
  it("names a wrong parameter, and lets one pass that only a newer client knows", () => {
    const decodeParams = (value: unknown): unknown => COMMANDS["system/resource-admit"].decodeParams(value);
    expect(caught(() => decodeParams({ tier: "docker", projectedBytes: "1" }))).toMatchObject({
      path: "projectedBytes",
      expected: "a number",
    });
    expect(decodeParams({ tier: "docker", projectedBytes: 1, urgency: "high" })).toMatchObject({
      projectedBytes: 1,
    });
  });

  it("knows only its own keys", () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", ""])
      expect(isCommandName(name)).toBe(false);
    expect(isCommandName("system/docker-tier-stats")).toBe(true);
    expect(Object.isFrozen(COMMANDS)).toBe(true);
    expect(Object.getPrototypeOf(COMMANDS)).toBeNull();
  });
});

describe("decodeErrorDetail", () => {
  it("reads both kinds of failure, and null for what it doesn't know", () => {
    expect(decodeErrorDetail({ kind: "tierUnavailable", tier: "docker", reason: "r" })).toMatchObject({
      kind: "tierUnavailable",
    });
    expect(decodeErrorDetail({ kind: "badRequest", reason: "r" })).toEqual({
      kind: "badRequest",
      reason: "r",
    });
    expect(decodeErrorDetail({ kind: "fromTheFuture" })).toBeNull();
    expect(decodeErrorDetail(undefined)).toBeNull();
  });
});
