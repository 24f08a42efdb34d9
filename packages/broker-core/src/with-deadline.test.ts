import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { withDeadline } from "./index.js";
import { ManualClock } from "./testing/index.js";

const what = "the work";

it("gives what it ran for, and leaves neither a timer nor a listener", async () => {
  const clock = new ManualClock();
  const outer = new AbortController().signal;
  await expect(withDeadline(clock, { what, deadlineMs: 10, outer }, () => Promise.resolve(7))).resolves.toBe(
    7,
  );
  expect(clock.pendingTimers).toBe(0);
  expect(getEventListeners(outer, "abort")).toEqual([]);
});

it("rejects at the deadline, whether or not the work listens, and aborts its signal with the same error", async () => {
  const clock = new ManualClock();
  let inner: AbortSignal | undefined;
  const running = withDeadline(clock, { what, deadlineMs: 10 }, (signal) => {
    inner = signal;
    return new Promise<never>(() => undefined);
  });
  const rejected = expect(running).rejects.toMatchObject({ code: "timeout" });
  await clock.advance(9);
  expect(inner?.aborted).toBe(false);
  await clock.advance(1);
  await rejected;
  expect(inner?.reason).toMatchObject({
    code: "timeout",
    message: expect.stringContaining("10 ms") as string,
  });
});

it("rejects as aborted when the caller's signal aborts, and starts nothing for one that has aborted already", async () => {
  const clock = new ManualClock();
  const outer = new AbortController();
  const limits = { what, deadlineMs: 10, outer: outer.signal };
  let started = 0;
  const work = (): Promise<never> => {
    started += 1;
    return new Promise<never>(() => undefined);
  };
  const running = withDeadline(clock, limits, work);
  await clock.advance(0);
  outer.abort();
  await expect(running).rejects.toMatchObject({ code: "aborted" });
  await expect(withDeadline(clock, limits, work)).rejects.toMatchObject({ code: "aborted" });
  expect(started).toBe(1);
  expect(clock.pendingTimers).toBe(0);
});

it("a throw is a rejection", async () => {
  const thrown = withDeadline(new ManualClock(), { what, deadlineMs: 10 }, () => {
    throw new Error("at once");
  });
  await expect(thrown).rejects.toThrow("at once");
});
