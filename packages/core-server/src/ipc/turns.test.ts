import { describe, expect, it } from "vitest";
import { toLineCost, Turns, type TurnTaker } from "./turns.js";

/** One that has `lines` to be served, and writes down when. */
function taker(name: string, lines: number, turns: Turns, served: string[]): TurnTaker {
  let left = lines;
  const self: TurnTaker = {
    serveTurn: (maxLines) => {
      const count = Math.min(left, maxLines);
      left -= count;
      served.push(`${name}${count}`);
      if (left > 0) turns.add(self);
      return count;
    },
  };
  return self;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe("turns", () => {
  it("serve each its share before the first has its second", async () => {
    const turns = new Turns();
    const served: string[] = [];
    turns.add(taker("greedy", 1000, turns, served));
    for (const name of ["a", "b"]) turns.add(taker(name, 1, turns, served));
    await turn();
    expect(served).toEqual(["greedy341", "a1", "b1"]);
    await turn();
    await turn();
    expect(served.slice(3)).toEqual(["greedy659"]);
  });

  it("end at a bound, go on where they ended, and look at the sockets in between", async () => {
    const turns = new Turns();
    const served: string[] = [];
    for (let index = 0; index < 40; index += 1) turns.add(taker(`${index}:`, 64, turns, served));
    await turn();
    expect(served).toHaveLength(16);
    await turn();
    expect(served).toHaveLength(32);
    await turn();
    expect(served.map((text) => text.split(":")[0])).toEqual(Array.from({ length: 40 }, (_, i) => String(i)));
  });

  it("grant a few lines at once to whoever brings them, until the turn is used up", async () => {
    const turns = new Turns();
    const granted = Array.from({ length: 20 }, () => turns.grant(500, 30_000));
    expect(granted).toEqual([...Array.from({ length: 16 }, () => 64), 0, 0, 0, 0]);
    await turn();
    expect(turns.grant(10, 500)).toBe(10);
  });

  it("count long lines for what they have to be parsed", async () => {
    const turns = new Turns();
    // Four of 15 KiB, then a single one that is more than one may have at once.
    expect(turns.grant(4, 60 * 1024)).toBe(4);
    expect(turns.grant(1, 1024 * 1024)).toBe(0);
    // 15 times more of the first, and the turn is used up.
    const granted = Array.from({ length: 16 }, () => turns.grant(4, 60 * 1024));
    expect(granted).toEqual([...Array.from({ length: 15 }, () => 4), 0]);
    expect([toLineCost(0), toLineCost(1023), toLineCost(1024), toLineCost(1024 * 1024)]).toEqual([
      1, 1, 2, 1025,
    ]);
    await turn();
    expect(turns.grant(1, 60 * 1024)).toBe(1);
  });

  it("serve one line at least, however long it is, and look at the sockets after it", async () => {
    const turns = new Turns();
    const served: string[] = [];
    for (const name of ["a", "b"])
      turns.add({ serveTurn: () => (served.push(name), toLineCost(1024 * 1024)) });
    await turn();
    expect(served).toEqual(["a"]);
    await turn();
    expect(served).toEqual(["a", "b"]);
  });

  it("forget whoever is gone", async () => {
    const turns = new Turns();
    const served: string[] = [];
    const gone = taker("gone", 1, turns, served);
    turns.add(gone);
    turns.delete(gone);
    await turn();
    expect(served).toEqual([]);
  });
});
