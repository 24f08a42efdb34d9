import { describe, expect, it } from "vitest";
import { toPoolError } from "./to-pool-error.js";

describe("toPoolError", () => {
  it.each([
    ["EACCES", "denied", "group"],
    ["ECONNREFUSED", "unreachable", "running"],
    ["ENOENT", "unreachable", "installed"],
    ["ENOSPC", "noSpace", "space"],
    ["HPE_INVALID_CONSTANT", "protocol", "HTTP"],
  ])("names %s as %s with what to do", (code, poolCode, hint) => {
    const error = toPoolError(Object.assign(new Error("connect failed"), { code }), "engine");
    expect(error.code).toBe(poolCode);
    expect(error.message).toContain(hint);
    expect(error.message).toContain(code);
  });
});
