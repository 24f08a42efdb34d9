import { ManualClock } from "@continuum/broker-core/testing";
import { describe, expect, it } from "vitest";
import { hostFiles, withFileDeadline } from "./host-files.js";

describe("withFileDeadline", () => {
  it("never has a second call beside one that hangs, and recovers with it", async () => {
    const clock = new ManualClock();
    let calls = 0;
    let comeBack = (): void => undefined;
    const statfs = () => {
      calls++;
      return new Promise<never>((_resolve, reject) => {
        comeBack = () => {
          reject(new Error("I/O error"));
        };
      });
    };
    const files = withFileDeadline({ ...hostFiles, statfs }, clock, 2_000);
    const first = expect(files.statfs("/mnt")).rejects.toMatchObject({ code: "timeout" });
    await clock.advance(2_000);
    await first;
    await expect(files.stat("/")).rejects.toMatchObject({ code: "timeout" });
    await expect(files.statfs("/mnt")).rejects.toMatchObject({ code: "timeout" });
    expect(calls).toBe(1);
    comeBack();
    await clock.advance(0);
    expect((await files.stat("/")).isDirectory()).toBe(true);
  });
});
