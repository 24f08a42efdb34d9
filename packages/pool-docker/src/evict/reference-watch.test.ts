import { PoolError } from "@continuum/broker-core";
import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { silentLog } from "../docker-log.js";
import { ReferenceWatch, type WatchedEngine, type WatchedEvent } from "./reference-watch.js";

const ID = `sha256:${"a".repeat(64)}`;
const image = { id: ID, tags: ["app:1", "registry.local:5000/app:latest"], digests: ["app@sha256:d"] };
const event = (type: string, action: string, id: string, attributes = {}): WatchedEvent => ({
  type,
  action,
  id,
  attributes,
  atMs: 0,
});

/** An engine whose events a test sends. */
function scripted(): { readonly engine: WatchedEngine; send(event: WatchedEvent): Promise<void> } {
  let deliver: (event: WatchedEvent) => void = () => undefined;
  const engine: WatchedEngine = {
    events: ({ signal }) =>
      Promise.resolve(
        (async function* () {
          for (;;) {
            const next = await new Promise<WatchedEvent>((resolve, reject) => {
              deliver = resolve;
              signal.addEventListener("abort", () => reject(new PoolError("aborted", "over")), {
                once: true,
              });
            });
            yield next;
          }
        })(),
      ),
  };
  return {
    engine,
    send: async (next) => {
      deliver(next);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe("ReferenceWatch", () => {
  it.each([
    ["a pull of its tag", event("image", "pull", "app:1", { name: "app" })],
    ["a tag of its id", event("image", "tag", ID, { name: "other:2" })],
    ["a load", event("image", "load", "a".repeat(64))],
    ["a run by its tag", event("container", "create", "c1", { image: "app:1" })],
    ["a run without a tag", event("container", "start", "c1", { image: "registry.local:5000/app" })],
    ["a run by its id", event("container", "create", "c1", { image: ID })],
    ["a run by its digest", event("container", "create", "c1", { image: "app@sha256:d" })],
  ])("hears %s", async (_what, heard) => {
    const script = scripted();
    const { engine } = script;
    const clock = new ManualClock();
    const watch = await ReferenceWatch.begin(engine, clock, silentLog);
    await clock.advance(10);
    await script.send(heard);
    expect(watch.touchedSince(image, 10)).not.toBeNull();
    expect(watch.touchedSince(image, 11)).toBeNull();
    expect(watch.touchedSince({ id: "sha256:b", tags: ["b:1"], digests: [] }, 0)).toBeNull();
    await watch.close();
  });

  it.each([
    ["an untag", event("image", "untag", ID)],
    ["a delete", event("image", "delete", ID)],
    ["the end of a container", event("container", "die", "c1", { image: "app:1" })],
    ["another image", event("image", "pull", "app:2", { name: "app" })],
  ])("takes no notice of %s", async (_what, heard) => {
    const script = scripted();
    const { engine } = script;
    const watch = await ReferenceWatch.begin(engine, new ManualClock(), silentLog);
    await script.send(heard);
    expect(watch.touchedSince(image, 0)).toBeNull();
    await watch.close();
  });

  it("does without events where they can't be had", async () => {
    const engine: WatchedEngine = { events: () => Promise.reject(new PoolError("unreachable", "gone")) };
    const watch = await ReferenceWatch.begin(engine, new ManualClock(), silentLog);
    expect(watch.touchedSince(image, 0)).toBeNull();
    await watch.close();
  });
});
