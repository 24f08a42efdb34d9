import { describe, expect, it } from "vitest";
import { keepReasonOfImage, toHeldNames } from "./keep-reasons.js";
import { DAY, image, NOW, used } from "../testing/plan-fixtures.js";

const policy = {
  name: "standard",
  keepLabel: { key: "keep", value: null },
  keepReferences: [],
  keepNewestPerRepository: 0,
  minAgeMs: { image: DAY, container: DAY, buildCache: DAY },
  minIdleMs: DAY,
} as const;

function ruleFor(
  containers: readonly { readonly image: string; readonly imageId: string }[],
  use = used(NOW - 2 * DAY),
  given: Parameters<typeof image>[1] = {},
): string | null {
  const context = { heldNames: toHeldNames(containers), use, digestsAreFromRegistries: true };
  return keepReasonOfImage(image("a", given), context, policy, NOW)?.rule ?? null;
}

describe("what speaks against deleting an image, asked right before it goes", () => {
  it("is a container of it, and one that doesn't say what it uses", () => {
    expect(ruleFor([])).toBeNull();
    expect(ruleFor([{ image: "b:1", imageId: "sha256:b" }])).toBeNull();
    expect(ruleFor([{ image: "docker.io/library/a:1", imageId: "" }])).toBe("inUse");
    expect(ruleFor([{ image: "", imageId: "" }])).toBe("inUse");
  });

  it("is a use since the plan, a gap in what was watched, and a clock that says it comes from the future", () => {
    expect(ruleFor([], used(NOW - 1))).toBe("minIdle");
    expect(ruleFor([], { ...used(NOW - 2 * DAY), unwatchedUntilMs: NOW - 1 })).toBe("minIdle");
    expect(ruleFor([], undefined, { arrivedAtMs: NOW + DAY })).toBe("minAge");
    expect(ruleFor([], undefined, { arrivedAtMs: Number.NaN })).toBe("unknown");
  });
});
