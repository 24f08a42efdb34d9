import { describe, expect, it } from "vitest";
import { ConcurrencyGate } from "./concurrency-gate.js";

const ownerOf = (connection: object) => ({ connection, onAborted: () => undefined });

describe("a busy module", () => {
  it("keeps places for those who ask for little, and serves them in their turn", async () => {
    const gate = new ConcurrencyGate("docker", 1, 20);
    const onEnd = (): void => undefined;
    const finish: (() => void)[] = [];
    const served: string[] = [];
    const task = (name: string) => (): Promise<void> => {
      served.push(name);
      return new Promise((resolve) => finish.push(resolve));
    };
    const [greedy, modest] = [ownerOf({}), ownerOf({})];
    const all = [Promise.resolve(gate.run(task("g0"), greedy, onEnd))];
    for (let index = 1; index <= 10; index += 1)
      all.push(Promise.resolve(gate.run(task(`g${index}`), greedy, onEnd)));
    // Half of the places are taken: the rest is for others.
    expect(() => gate.run(task("g11"), greedy, onEnd)).toThrow(
      /overloaded: docker has 1 requests running and 10/u,
    );
    all.push(Promise.resolve(gate.run(task("m1"), modest, onEnd)));
    for (let index = 0; index < 12; index += 1) {
      finish[index]?.();
      await new Promise(setImmediate);
    }
    await Promise.all(all);
    expect(served.slice(0, 4)).toEqual(["g0", "g1", "m1", "g2"]);
    expect(served).toHaveLength(12);
    expect([gate.running, gate.waiting]).toEqual([0, 0]);
  });
});
