import { PoolError } from "@continuum/broker-core";
import { describe, expect, it } from "vitest";
import { restoreImage, type RestoringEngine } from "./restore-image.js";

/** An engine with names for ids, and a registry that has some digests. */
class FakeEngine implements RestoringEngine {
  readonly names = new Map<string, string>();
  readonly registry = new Map<string, string>();
  readonly pulled: string[] = [];

  imageInspect(image: string): Promise<{ readonly Id: string }> {
    const id = this.names.get(image) ?? [...this.names.values()].find((each) => each === image);
    return id === undefined
      ? Promise.reject(new PoolError("notFound", `no such image: ${image}`))
      : Promise.resolve({ Id: id });
  }

  imagePull({ reference }: { readonly reference: string }): Promise<void> {
    this.pulled.push(reference);
    const id = this.registry.get(reference);
    if (id === undefined) return Promise.reject(new PoolError("notFound", "manifest unknown"));
    this.names.set(reference, id);
    return Promise.resolve();
  }

  tag(image: string, reference: string): Promise<void> {
    this.names.set(reference, image);
    return Promise.resolve();
  }
}

const lost = { id: "sha256:1", references: ["app:1", "app:latest"], restoreReference: "r/app@sha256:d" };

describe("restoreImage", () => {
  it("pulls by digest and tags as before", async () => {
    const engine = new FakeEngine();
    engine.registry.set("r/app@sha256:d", "sha256:1");
    const restored = await restoreImage(engine, lost);
    expect(restored).toEqual({
      outcome: "restored",
      reference: "r/app@sha256:d",
      references: ["app:1", "app:latest"],
      detail: null,
    });
    expect(engine.names.get("app:latest")).toBe("sha256:1");
  });

  it("pulls nothing for what is here, and gives it the tags that it lost", async () => {
    const engine = new FakeEngine();
    engine.names.set("app:1", "sha256:1");
    expect(await restoreImage(engine, lost)).toMatchObject({ outcome: "present", reference: null });
    expect(engine.pulled).toEqual([]);
    expect(engine.names.get("app:latest")).toBe("sha256:1");
  });

  it("leaves a tag to the image that has it now, and says so", async () => {
    const engine = new FakeEngine();
    engine.registry.set("r/app@sha256:d", "sha256:1");
    engine.names.set("app:latest", "sha256:2");
    const restored = await restoreImage(engine, lost);
    expect(restored.references).toEqual(["app:1"]);
    expect(restored.detail).toMatch(/app:latest names another image/u);
    expect(engine.names.get("app:latest")).toBe("sha256:2");
  });

  it("says of an image without a digest that it can't be had again", async () => {
    const engine = new FakeEngine();
    expect(await restoreImage(engine, { ...lost, restoreReference: null })).toMatchObject({
      outcome: "impossible",
      references: [],
    });
  });

  it("fails where the registry fails, and where there is no room", async () => {
    const engine = new FakeEngine();
    await expect(restoreImage(engine, lost)).rejects.toMatchObject({ code: "notFound" });
    const beforePull = () => Promise.reject(new PoolError("noSpace", "no room"));
    await expect(restoreImage(engine, lost, { beforePull })).rejects.toMatchObject({ code: "noSpace" });
    expect(engine.pulled).toHaveLength(1);
  });
});
