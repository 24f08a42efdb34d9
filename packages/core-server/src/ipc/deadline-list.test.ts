import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { Deadline, DeadlineList } from "./deadline-list.js";

function setUp(onExpired: (name: string) => void = () => undefined) {
  const clock = new ManualClock();
  const expired: string[] = [];
  const list = new DeadlineList<string>(clock, 100, (name) => {
    expired.push(name);
    onExpired(name);
  });
  return { clock, list, expired };
}

describe("DeadlineList", () => {
  it("expires each once, in the order of their adding, those that were ended not at all", async () => {
    const { clock, list, expired } = setUp();
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => new Deadline(name));
    if (a === undefined || b === undefined || c === undefined || d === undefined)
      throw new Error("four of them");
    list.add(a);
    list.add(b);
    await clock.advance(50);
    list.add(c);
    list.add(d);
    list.add(a);
    list.delete(c);
    list.delete(c);
    await clock.advance(50);
    expect(expired).toEqual(["b"]);
    expect([a, b, c, d].map((each) => list.has(each))).toEqual([true, false, false, true]);
    await clock.advance(1_000);
    expect(expired).toEqual(["b", "d", "a"]);
  });

  it("doesn't expire what another's expiry ended, and may be added to meanwhile", async () => {
    const first = new Deadline("first");
    const second = new Deadline("second");
    const { clock, list, expired } = setUp((name) => {
      if (name !== "first" || expired.length > 1) return;
      list.delete(second);
      list.add(first);
    });
    list.add(first);
    list.add(second);
    await clock.advance(1_000);
    expect(expired).toEqual(["first", "first"]);
  });

  it("leaves no timer and no link behind", async () => {
    const { clock, list, expired } = setUp();
    const all = ["a", "b", "c"].map((name) => new Deadline(name));
    for (const each of all) list.add(each);
    list.clear();
    await clock.advance(1_000);
    expect(expired).toEqual([]);
    for (const { previous, next } of all) expect([previous, next]).toEqual([null, null]);
  });
});
