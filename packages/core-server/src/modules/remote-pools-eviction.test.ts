import { describe, expect, it } from "vitest";
import { refusal, Rig } from "../testing/remote-pools-rig.js";

describe("an eviction of another process's pool", () => {
  it("is measured by the first report after its answer, whatever is claimed", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId, wantBytes } = await rig.asked(connection);
    expect(wantBytes).toBe(300);
    // What is reported before the answer is no measurement, nor what comes with it.
    rig.report(connection, { usedBytes: 880 });
    rig.report(connection, { usedBytes: 100, evictionId, freedBytes: 800 });
    await rig.clock.advance(100);
    expect(rig.outcomes).toEqual([]);
    rig.report(connection, { usedBytes: 850 });
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ claimedBytes: 800, freedBytes: 50, measured: true, error: null }]);
    expect(rig.broker.counters).toEqual({ evictionsFired: 1, bytesFreedTotal: 50 });
  });

  it("is measured by a report that comes late, of a process that had no time in between", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 600, evictionId, freedBytes: 300 });
    await rig.clock.advance(29_000);
    await rig.round();
    expect(connection.requests).toHaveLength(1);
    rig.report(connection, { usedBytes: 600 });
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 300, measured: true }]);
  });

  it("takes one answer, of its own connection and id; other figures count all the same", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    const open = { kind: "invalidParams", path: "evictionId" };
    expect(refusal(() => rig.report(connection, { usedBytes: 890, evictionId: "another" }))).toMatchObject(
      open,
    );
    expect(await rig.broker.read("kv")).toMatchObject({ usedBytes: 890 });
    const other = rig.connect();
    rig.register(other, { name: "theirs" });
    expect(refusal(() => rig.report(other, { name: "theirs", evictionId }))).toMatchObject(open);
    expect(refusal(() => rig.report(other, { evictionId, usedBytes: 0 }))).toMatchObject({ path: "name" });
    expect(rig.outcomes).toEqual([]);
    rig.report(connection, { usedBytes: 600, evictionId, freedBytes: 300 });
    expect(refusal(() => rig.report(connection, { usedBytes: 610, evictionId }))).toMatchObject(open);
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 290 }]);
    expect(refusal(() => rig.report(connection, { usedBytes: 600, evictionId }))).toMatchObject(open);
    expect(rig.broker.counters.evictionsFired).toBe(1);
  });

  it("says why less was freed, in so many words", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 900, evictionId, error: "x".repeat(600) });
    rig.report(connection, { usedBytes: 900 });
    await rig.clock.advance(0);
    expect(rig.outcomes[0]).toMatchObject({ freedBytes: 0, shortfall: "x".repeat(500) });
    expect(refusal(() => rig.report(connection, { freedBytes: -1 }))).toMatchObject({ path: "freedBytes" });
  });

  it("fails when it isn't answered within a minute; the late answer is refused", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection, { reportEveryMs: 60_000 });
    await rig.clock.advance(59_999);
    expect(rig.outcomes).toEqual([]);
    await rig.clock.advance(1);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0, error: { code: "timeout" } }]);
    const late = () => rig.report(connection, { usedBytes: 500, evictionId, freedBytes: 400 });
    expect(refusal(late)).toMatchObject({ path: "evictionId" });
    expect(await rig.broker.read("kv")).toMatchObject({ usedBytes: 500 });
    expect(rig.broker.counters).toEqual({ evictionsFired: 1, bytesFreedTotal: 0 });
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("isn't measured when no report follows its answer until it is gone", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 500, evictionId, freedBytes: 400 });
    await rig.clock.advance(29_999);
    await rig.module.tick(new AbortController().signal);
    expect(rig.outcomes).toEqual([]);
    await rig.clock.advance(1);
    await rig.module.tick(new AbortController().signal);
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0, measured: false, error: { code: "unreachable" } }]);
    expect(rig.broker.counters).toEqual({ evictionsFired: 1, bytesFreedTotal: 0 });
  });

  it("is told to have failed when the pool goes silent in the middle; then the pool is forgotten", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    await rig.clock.advance(30_000);
    await rig.module.tick(new AbortController().signal);
    await rig.clock.advance(0);
    expect(rig.told).toMatchObject([
      { pool: "kv", freedBytes: 0, measured: false, shortfall: "the process of pool kv has gone" },
    ]);
    // Whoever wakes up now has to register again.
    const late = () => rig.report(connection, { usedBytes: 500, evictionId, freedBytes: 400 });
    expect(refusal(late)).toMatchObject({ path: "name" });
    await rig.module.tick(new AbortController().signal);
    expect(rig.broker.pools()).toEqual([]);
    expect(rig.told).toHaveLength(1);
    expect(rig.register(connection)).toMatchObject({ name: "kv" });
  });

  it.each([
    ["before its answer", false],
    ["after its answer", true],
  ])(
    "fails when the connection is lost %s: nothing is known of what was freed",
    async (_when, isAnswered) => {
      const rig = new Rig();
      const connection = rig.connect();
      const { evictionId } = await rig.asked(connection);
      if (isAnswered) rig.report(connection, { usedBytes: 500, evictionId, freedBytes: 400 });
      connection.close();
      await rig.clock.advance(0);
      expect(rig.outcomes).toMatchObject([
        { freedBytes: 0, measured: false, error: { code: "unreachable" } },
      ]);
      // Stale, so that nothing is asked of it; taken over, it is asked again.
      await rig.round();
      expect(rig.outcomes).toHaveLength(1);
      await rig.clock.advance(60_000);
      const next = rig.connect();
      const again = await rig.asked(next, { usedBytes: 950 });
      expect(again.evictionId).not.toBe(evictionId);
      expect(refusal(() => rig.report(next, { usedBytes: 1, evictionId }))).toMatchObject({
        path: "evictionId",
      });
    },
  );

  it("isn't begun on a connection that is closing", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    rig.register(connection, { usedBytes: 900 });
    connection.isClosed = true;
    await rig.round();
    expect(rig.outcomes).toMatchObject([{ error: { code: "unreachable" } }]);
    expect(rig.clock.pendingTimers).toBe(0);
  });

  it("ends with its pool when that is unregistered, and nobody is told that it is stuck", async () => {
    const rig = new Rig();
    const alerts: unknown[] = [];
    rig.broker.addAlertSink((alert) => void alerts.push(alert));
    const connection = rig.connect();
    await rig.asked(connection);
    expect(rig.unregister(connection)).toBe(true);
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0 }]);
    expect([alerts, rig.errors, rig.clock.pendingTimers]).toEqual([[], [], 0]);
    expect(connection.listenerCount).toBe(0);
    expect(rig.unregister(connection)).toBe(false);
  });

  it("ends when the pool is registered anew, which may be asked in its turn", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    const second = await rig.asked(connection);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 0 }]);
    expect(refusal(() => rig.report(connection, { evictionId }))).toMatchObject({ path: "evictionId" });
    rig.report(connection, { usedBytes: 600, evictionId: second.evictionId, freedBytes: 300 });
    rig.report(connection, { usedBytes: 600 });
    await rig.clock.advance(0);
    expect(rig.outcomes[1]).toMatchObject({ pool: "kv", claimedBytes: 300 });
    expect(connection.listenerCount).toBe(1);
  });

  it("counts what came with the answer when the core stops before the next report", async () => {
    const rig = new Rig();
    const connection = rig.connect();
    const { evictionId } = await rig.asked(connection);
    rig.report(connection, { usedBytes: 600, evictionId, freedBytes: 300 });
    await rig.clock.advance(0);
    await rig.broker.close();
    await rig.clock.advance(0);
    expect(rig.outcomes).toMatchObject([{ freedBytes: 300, claimedBytes: 300 }]);
    await rig.module.stop();
    expect([rig.broker.pools(), connection.listenerCount, rig.clock.pendingTimers]).toEqual([[], 0, 0]);
  });
});
