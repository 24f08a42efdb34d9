import { PoolError } from "@continuum/broker-core";
import { describe, expect, it } from "vitest";
import { deleteImage, toUntagFirst } from "./delete-image.js";

const never = new AbortController().signal;

function recorder(fail: (image: string) => PoolError | null = () => null) {
  const calls: string[] = [];
  return {
    calls,
    imageRemove: (image: string) => {
      calls.push(`remove ${image}`);
      const error = fail(image);
      return error === null ? Promise.resolve([]) : Promise.reject(error);
    },
    tag: (image: string, reference: string) => {
      calls.push(`tag ${image} ${reference}`);
      return Promise.resolve();
    },
  };
}

describe("deleteImage", () => {
  it("leaves one tag, in the repository whose digest is known, and deletes by id", () => {
    const first = toUntagFirst({
      tags: ["a:1", "host:5000/b:1", "a:2"],
      digests: ["host:5000/b@sha256:0", "gone@sha256:0"],
    });
    expect(first).toEqual({ tags: ["a:1", "a:2"], digests: ["gone@sha256:0"] });
    expect(toUntagFirst({ tags: [], digests: ["a@sha256:0", "b@sha256:0"] }).digests).toEqual(["b@sha256:0"]);
    expect(toUntagFirst({ tags: [], digests: [] })).toEqual({ tags: [], digests: [] });
  });

  it("untags all but the last and deletes by id", async () => {
    const engine = recorder();
    await deleteImage(engine, { id: "sha256:1", tags: ["a:1", "a:2"], digests: [] }, never);
    expect(engine.calls).toEqual(["remove a:1", "remove sha256:1"]);
  });

  it("puts the tags back when the engine refuses in the end", async () => {
    const engine = recorder((image) => (image === "sha256:1" ? new PoolError("conflict", "in use") : null));
    const image = { id: "sha256:1", tags: ["a:1", "b:1", "c:1"], digests: [] };
    await expect(deleteImage(engine, image, never)).rejects.toMatchObject({ code: "conflict" });
    expect(engine.calls.slice(3)).toEqual(["tag sha256:1 a:1", "tag sha256:1 b:1"]);
  });
});
