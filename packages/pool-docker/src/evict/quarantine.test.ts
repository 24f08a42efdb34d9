import { PoolError } from "@continuum/broker-core";
import { describe, expect, it } from "vitest";
import {
  deleteOnFullDisk,
  deleteQuarantined,
  isQuarantineTag,
  leftInQuarantine,
  quarantineImage,
  releaseImage,
  toQuarantineTags,
} from "./quarantine.js";

const never = new AbortController().signal;
const image = {
  id: `sha256:${"ab".repeat(32)}`,
  tags: ["host:5000/app:1", "app:1", "app:latest"],
  digests: ["host:5000/app@sha256:d", "gone@sha256:d"],
};
const HIDDEN = ["app:continuum-evicting-abababababab", "host:5000/app:continuum-evicting-abababababab"];

/** An engine with one image, which lets go of its names and of itself as the real one does. */
function engineWith(tags: readonly string[], fail: (call: string) => PoolError | null = () => null) {
  const names = new Set(tags);
  const calls: string[] = [];
  let isGone = false;
  const act = (call: string, run: () => void): Promise<void> => {
    calls.push(call);
    const error = fail(call) ?? (isGone ? new PoolError("notFound", "no such image") : null);
    if (error !== null) return Promise.reject(error);
    run();
    return Promise.resolve();
  };
  return {
    names,
    calls,
    get isGone() {
      return isGone;
    },
    tag: (_id: string, reference: string) => act(`tag ${reference}`, () => void names.add(reference)),
    imageRemove: async (reference: string) => {
      await act(`remove ${reference}`, () => {
        if (reference === image.id) {
          if ([...names].length > 1) throw new Error("the engine refuses: several names");
          isGone = true;
        } else names.delete(reference);
        if (tags.length > 0 && names.size === 0 && reference !== image.id) isGone = true;
      });
      return [];
    },
  };
}

describe("quarantine", () => {
  it("has one tag in each repository, so that no digest is forgotten", () => {
    expect(toQuarantineTags(image)).toEqual(HIDDEN);
    expect(HIDDEN.every(isQuarantineTag)).toBe(true);
    expect(image.tags.some(isQuarantineTag)).toBe(false);
    expect(toQuarantineTags({ ...image, tags: [] })).toEqual([]);
  });

  it("takes the names away and gives them back, with a name at every moment", async () => {
    const engine = engineWith(image.tags);
    await quarantineImage(engine, image, never);
    expect([...engine.names].sort()).toEqual(HIDDEN);
    expect(await releaseImage(engine, image)).toEqual([]);
    expect([...engine.names].sort()).toEqual([...image.tags].sort());
    expect(engine.isGone).toBe(false);
  });

  it("gives the names back when they can't all be taken", async () => {
    const engine = engineWith(image.tags, (call) =>
      call === "remove app:latest" ? new PoolError("failed", "no") : null,
    );
    await expect(quarantineImage(engine, image, never)).rejects.toMatchObject({ code: "failed" });
    expect([...engine.names].sort()).toEqual([...image.tags].sort());
  });

  it("deletes by id, with one name left", async () => {
    const engine = engineWith(image.tags);
    await quarantineImage(engine, image, never);
    engine.calls.length = 0;
    await deleteQuarantined(engine, image, never);
    expect(engine.calls).toEqual([`remove ${HIDDEN[1] ?? ""}`, "remove gone@sha256:d", `remove ${image.id}`]);
    expect(engine.isGone).toBe(true);
  });

  it("deletes a dangling image by its id alone, and one with digests of several repositories", async () => {
    const engine = engineWith([]);
    await deleteQuarantined(engine, { id: image.id, tags: [], digests: [] }, never);
    expect(engine.calls).toEqual([`remove ${image.id}`]);
    const other = engineWith([]);
    await deleteQuarantined(other, { id: image.id, tags: [], digests: ["a@sha256:d", "b@sha256:d"] }, never);
    expect(other.calls).toEqual(["remove b@sha256:d", `remove ${image.id}`]);
  });

  it("says which names it couldn't give back, and keeps the quarantine's then if there are no others", async () => {
    const engine = engineWith(HIDDEN, (call) =>
      call.startsWith("tag") ? new PoolError("failed", "no") : null,
    );
    expect(await releaseImage(engine, image)).toEqual(image.tags);
    expect([...engine.names].sort()).toEqual(HIDDEN);
  });

  it("insists on a full disk, where the engine lets go and can't write it down", async () => {
    const refused = new Set<string>();
    const engine = engineWith(image.tags, (call) => {
      if (refused.has(call)) return null;
      refused.add(call);
      if (!call.startsWith(`remove ${image.id}`)) engine.names.delete(call.slice("remove ".length));
      return new PoolError("noSpace", "no space left on device");
    });
    await deleteOnFullDisk(engine, image, never);
    expect(engine.isGone).toBe(true);
    const stuck = engineWith(image.tags, () => new PoolError("noSpace", "no space left on device"));
    await expect(deleteOnFullDisk(stuck, image, never)).rejects.toMatchObject({ code: "noSpace" });
    expect(stuck.calls).toHaveLength(3);
  });

  it("knows what a killed eviction left", () => {
    const left = { tags: HIDDEN };
    expect(leftInQuarantine([left, { tags: image.tags }, { tags: [] }])).toEqual([left]);
  });
});
