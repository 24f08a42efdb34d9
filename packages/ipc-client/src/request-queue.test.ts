import { describe, expect, it } from "vitest";
import { CoreRequest } from "./core-request.js";
import { RequestQueue } from "./request-queue.js";

const ignore = (): void => undefined;

function request(command: string): CoreRequest {
  const parts = { command, encoded: { head: "", tail: "" }, idempotent: true, timeoutMs: 1 };
  return new CoreRequest(
    { ...parts, decode: ignore, resolve: ignore, reject: ignore },
    { onSettled: ignore },
  );
}

describe("RequestQueue", () => {
  it("keeps the order, whoever leaves", () => {
    const queue = new RequestQueue();
    const all = Array.from({ length: 6 }, (_, i) => request(String(i)));
    const left = (): string => [...queue].map(({ command }) => command).join("");
    for (const each of all) queue.add(each);
    for (const [index, expected] of [
      [0, "12345"],
      [3, "1245"],
      [3, "1245"],
      [5, "124"],
    ] as const) {
      queue.delete(all[index] as CoreRequest);
      expect(left()).toBe(expected);
      expect(queue.size).toBe(expected.length);
      expect(queue.first?.command).toBe(expected[0]);
    }
    queue.add(all[0] as CoreRequest);
    expect(queue.takeAll().map(({ command }) => command)).toEqual(["1", "2", "4", "0"]);
    expect([queue.size, queue.first, left()]).toEqual([0, null, ""]);
    for (const each of all) expect([each.previousQueued, each.nextQueued]).toEqual([null, null]);
  });
});
