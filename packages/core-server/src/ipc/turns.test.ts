import { describe, expect, it } from "vitest";
import { Turns, type TurnTaker } from "./turns.js";

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
    const granted = Array.from({ length: 20 }, () => turns.grant(500));
    expect(granted).toEqual([...Array.from({ length: 16 }, () => 64), 0, 0, 0, 0]);
    await turn();
    expect(turns.grant(10)).toBe(10);
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
