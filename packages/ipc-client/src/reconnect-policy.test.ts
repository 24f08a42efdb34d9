import { describe, expect, it } from "vitest";
import { decideReconnect, DEFAULT_RECONNECT_LIMITS, type ReconnectState } from "./reconnect-policy.js";

const limits = DEFAULT_RECONNECT_LIMITS;
const state: ReconnectState = { attempt: 1, elapsedMs: 0, error: "refused", everConnected: true };

describe("decideReconnect", () => {
  it("fails fast while there never was a core", () => {
    expect(decideReconnect({ ...state, everConnected: false }, limits, 0)).toEqual({ kind: "stop" });
    expect(decideReconnect({ ...state, everConnected: false, error: "closed" }, limits, 0)).toMatchObject({
      kind: "retry",
    });
  });

  it("doesn't insist where it has no right", () => {
    expect(decideReconnect({ ...state, error: "denied" }, limits, 0)).toEqual({ kind: "stop" });
  });

  it.each(["refused", "notFound", "closed", "timeout"] as const)("retries after %s", (error) => {
    expect(decideReconnect({ ...state, error }, limits, 0)).toMatchObject({ kind: "retry" });
  });

  it("doubles the delay up to its bound, for any number of attempts", () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 100, 5000].map((attempt) =>
      decideReconnect({ ...state, attempt }, limits, 1),
    );
    expect(delays.map((decision) => (decision.kind === "retry" ? decision.delayMs : null))).toEqual([
      10, 20, 40, 80, 160, 320, 500, 500, 500,
    ]);
  });

  it("spreads a delay over its upper half", () => {
    expect(decideReconnect({ ...state, attempt: 7 }, limits, 0)).toEqual({ kind: "retry", delayMs: 250 });
    expect(decideReconnect({ ...state, attempt: 7 }, limits, 0.5)).toEqual({ kind: "retry", delayMs: 375 });
  });

  it("makes its last attempt when the time is up, and stops then", () => {
    expect(decideReconnect({ ...state, attempt: 9, elapsedMs: 9_990 }, limits, 1)).toEqual({
      kind: "retry",
      delayMs: 10,
    });
    expect(decideReconnect({ ...state, attempt: 9, elapsedMs: 10_000 }, limits, 1)).toEqual({ kind: "stop" });
    expect(decideReconnect(state, { ...limits, reconnectForMs: 0 }, 1)).toEqual({ kind: "stop" });
  });
});
