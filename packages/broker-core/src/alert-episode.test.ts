import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type AlertEpisode,
  type EpisodeObservation,
  observeEpisode,
  toEpisodePolicy,
} from "./alert-episode.js";

const policy = toEpisodePolicy({ actAbove: 0.8 });
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Plays observations and gives the messages, each with its time; `each` sees every step. */
function play(
  observations: Iterable<Partial<EpisodeObservation> & { readonly atMs: number }>,
  each: (seen: EpisodeObservation, episode: AlertEpisode | null) => void = () => undefined,
): { kind: string; atMs: number; episode: AlertEpisode }[] {
  let episode: AlertEpisode | null = null;
  let ids = 0;
  const messages: { kind: string; atMs: number; episode: AlertEpisode }[] = [];
  for (const observation of observations) {
    const seen = { pressure: null, relief: null, isGone: false, ...observation };
    const step = observeEpisode(episode, seen, policy, () => `e${(ids += 1)}`);
    episode = step.episode;
    each(seen, episode);
    if (step.message !== null && episode !== null)
      messages.push({ kind: step.message, atMs: seen.atMs, episode });
  }
  return messages;
}

function* every(
  stepMs: number,
  forMs: number,
  pressure: (atMs: number) => number | null,
  fromMs = 0,
): Generator<{ atMs: number; pressure: number | null }> {
  for (let atMs = fromMs; atMs <= fromMs + forMs; atMs += stepMs) yield { atMs, pressure: pressure(atMs) };
}

const kinds = (messages: readonly { kind: string }[]): string[] => messages.map(({ kind }) => kind);

describe("observeEpisode", () => {
  it("fires with what the first relief came to, and resolves once it has been calm for long enough", () => {
    const messages = play([
      { atMs: 0, pressure: 0.9 },
      { atMs: 3_000, pressure: 0.9, relief: { freedBytes: 7, actionTaken: true } },
      ...every(5_000, 11 * MINUTE, () => 0.6, 5_000),
    ]);
    expect(messages).toMatchObject([
      {
        kind: "fired",
        atMs: 3_000,
        episode: { id: "e1", freedBytes: 7, messageCount: 1, highestTier: "high" },
      },
      { kind: "resolved", atMs: 5_000 + 10 * MINUTE, episode: { id: "e1", messageCount: 2, isOver: true } },
    ]);
  });

  it("fires without a relief after ten seconds", () => {
    expect(play(every(1_000, 20_000, () => 0.85))).toMatchObject([{ kind: "fired", atMs: 10_000 }]);
  });

  it("is silent below the threshold, and about a moment that nobody had to hear of", () => {
    expect(play(every(5_000, DAY, () => 0.79))).toEqual([]);
    expect(play(every(5_000, HOUR, (atMs) => (atMs === 5_000 ? 0.9 : 0.5)))).toEqual([]);
  });

  it("escalates once, to a severity that was not there before", () => {
    const messages = play(
      every(5_000, HOUR, (atMs) => (atMs < 30 * MINUTE ? 0.9 : atMs % 10_000 === 0 ? 0.96 : 0.9)),
    );
    expect(kinds(messages)).toEqual(["fired", "escalated"]);
  });

  it("a day stuck makes at most eight messages", () => {
    const messages = play(every(5_000, DAY, (atMs) => (atMs < 10 * MINUTE ? 0.9 : 0.97)));
    // Room is kept for a resolution and for what may come after it.
    expect(kinds(messages)).toEqual(["fired", "escalated", ...Array<string>(4).fill("repeated")]);
    expectCalmDays(play(every(5_000, 5 * DAY, (atMs) => (atMs < 10 * MINUTE ? 0.9 : 0.97))));
    const flat = play(every(5_000, DAY, () => 0.97));
    expect(kinds(flat)).toEqual(["fired", ...Array<string>(5).fill("repeated")]);
  });

  it("a storm of flaps fires once and resolves once, with half periods from seconds to an hour", () => {
    const storms = fc.record({
      halfMs: fc.oneof(
        fc.constantFrom(5_000, 20_000, MINUTE, 10 * MINUTE, HOUR),
        fc.integer({ min: 5_000, max: HOUR }),
      ),
      stepMs: fc.constantFrom(5_000, 7_000, 20_000),
      days: fc.constantFrom(1, 2),
    });
    fc.assert(
      fc.property(storms, ({ halfMs, stepMs, days }) => {
        const forMs = days * DAY;
        const storm = every(stepMs, forMs, (atMs) => (Math.floor(atMs / halfMs) % 2 === 0 ? 0.9 : 0.5));
        const calm = every(stepMs, 2 * HOUR, () => 0.5, forMs + stepMs);
        const messages = play([...storm, ...calm]);
        expect(kinds(messages).filter((kind) => kind !== "repeated")).toEqual(["fired", "resolved"]);
        expectCalmDays(messages);
      }),
      { numRuns: 40, seed: 5 },
    );
  });

  it("a storm of flaps to critical is told of once more, and no more than that", () => {
    for (const halfMs of [MINUTE, 30 * MINUTE]) {
      const storm = every(5_000, DAY, (atMs) => {
        const isHot = Math.floor(atMs / halfMs) % 2 === 0;
        return isHot ? (Math.floor(atMs / halfMs / 2) % 2 === 0 ? 0.9 : 0.97) : 0.5;
      });
      const messages = play([...storm]);
      expect(kinds(messages).filter((kind) => kind !== "repeated")).toEqual(["fired", "escalated"]);
      expectCalmDays(messages);
    }
  });

  it("tells once that relief frees nothing, where it freed something before", () => {
    const relief = (freedBytes: number) => ({ freedBytes, actionTaken: true });
    const messages = play([
      { atMs: 0, pressure: 0.9, relief: relief(9) },
      { atMs: MINUTE, pressure: 0.9, relief: relief(0) },
      { atMs: 2 * MINUTE, pressure: 0.9, relief: relief(5) },
      { atMs: 3 * MINUTE, pressure: 0.9, relief: relief(0) },
      { atMs: 4 * MINUTE, pressure: 0.9, relief: { freedBytes: 0, actionTaken: false } },
    ]);
    expect(messages).toMatchObject([
      { kind: "fired", episode: { isStuck: false } },
      { kind: "escalated", atMs: MINUTE, episode: { isStuck: true, isStuckTold: true, freedBytes: 9 } },
    ]);
    const stuckAtOnce = play([
      { atMs: 0, pressure: 0.9, relief: relief(0) },
      { atMs: MINUTE, pressure: 0.9, relief: relief(0) },
    ]);
    expect(kinds(stuckAtOnce)).toEqual(["fired"]);
  });

  it("is over after as long a calm, and half as long again, as it lasted; at most 90 minutes", () => {
    const resolvedAfter = (hotMs: number): number | undefined => {
      const hot = every(5_000, hotMs, () => 0.9);
      const messages = play([...hot, ...every(5_000, 3 * HOUR, () => 0.5, hotMs + 5_000)]);
      return (messages.find(({ kind }) => kind === "resolved")?.atMs ?? NaN) - hotMs - 5_000;
    };
    expect(resolvedAfter(MINUTE)).toBe(10 * MINUTE);
    expect(resolvedAfter(30 * MINUTE)).toBeLessThanOrEqual(45 * MINUTE + 10_000);
    expect(resolvedAfter(30 * MINUTE)).toBeGreaterThanOrEqual(45 * MINUTE);
    expect(resolvedAfter(DAY)).toBe(90 * MINUTE);
  });

  it("a pool that is relieved every hours makes at most eight messages a day, and is heard of when it gets critical", () => {
    // Each time it is hot for a moment and calm for 3 h: a new episode, until the calm has to be longer than that.
    const relieved = every(5_000, 2 * DAY, (atMs) => (atMs % (3 * HOUR) < 20_000 ? 0.85 : 0.5));
    const messages = play(relieved);
    expect(kinds(messages).slice(0, 5)).toEqual(["fired", "resolved", "fired", "resolved", "fired"]);
    expectCalmDays(messages);
    const critical = every(5_000, MINUTE, () => 0.97, 2 * DAY + 5_000);
    expect(
      play([...every(5_000, 2 * DAY, (atMs) => (atMs % (3 * HOUR) < 20_000 ? 0.85 : 0.5)), ...critical]).at(
        -1,
      ),
    ).toMatchObject({
      kind: "escalated",
      episode: { highestTier: "critical" },
    });
  });

  it("not to know isn't to be calm", () => {
    const messages = play([
      ...every(5_000, MINUTE, () => 0.9),
      ...every(5_000, HOUR, () => null, MINUTE + 5_000),
      ...every(5_000, 90 * MINUTE, () => 0.5, HOUR + 70_000),
    ]);
    expect(messages.map(({ kind, atMs }) => [kind, atMs])).toEqual([
      ["fired", 10_000],
      ["resolved", HOUR + 70_000 + 90 * MINUTE],
    ]);
  });

  it("a pool that is gone for good ends its episode", () => {
    const messages = play([...every(5_000, MINUTE, () => 0.9), { atMs: 2 * MINUTE, isGone: true }]);
    expect(kinds(messages)).toEqual(["fired", "resolved"]);
  });

  it("holds for all that can be seen: eight messages a day at most, in order, and critical never waits", () => {
    const level = fc.oneof(
      fc.constantFrom(0.5, 0.78, 0.85, 0.97),
      fc.double({ min: 0, max: 1.2, noNaN: true }),
      fc.constant(null),
    );
    const observation = fc.record({
      stepMs: fc.oneof(
        fc.constantFrom(250, 5_000, 10_000, 20_000, MINUTE, 10 * MINUTE, HOUR),
        fc.nat(30 * MINUTE),
      ),
      pressure: level,
      relief: fc.option(fc.record({ freedBytes: fc.nat(3), actionTaken: fc.boolean() }), { freq: 3 }),
      times: fc.integer({ min: 1, max: 12 }),
      goes: fc.oneof(fc.nat(4), fc.nat(30)),
    });
    fc.assert(
      fc.property(fc.array(observation, { minLength: 1, maxLength: 200, size: "max" }), (steps) => {
        let atMs = 0;
        const observations = steps.flatMap(({ stepMs, times, goes, pressure, relief }) =>
          Array.from({ length: times }, () => ({
            atMs: (atMs += stepMs),
            pressure: goes === 0 ? null : pressure,
            // A relief tells of the pressure that began it.
            relief: pressure === null || pressure < policy.fireAt || goes === 0 ? null : relief,
            isGone: goes === 0,
          })),
        );
        const messages = play(observations, (seen, episode) => {
          if (seen.pressure === null || seen.pressure < 0.95 || episode === null) return;
          const isDue = seen.relief !== null || seen.atMs - episode.startedAtMs >= policy.fireAfterMs;
          if (episode.messageCount > 0 || isDue) expect(episode.highestTier).toBe("critical");
        });
        let open: string | null = null;
        let count = 0;
        for (const { kind, episode } of messages) {
          if (kind === "fired") {
            expect(open).toBeNull();
            [open, count] = [episode.id, 0];
          }
          expect(episode.id).toBe(open);
          expect(episode.messageCount).toBe((count += 1));
          expect(episode.saidMs.length).toBeLessThanOrEqual(8);
          if (kind === "resolved") open = null;
        }
        expectCalmDays(messages);
      }),
      { numRuns: process.env["CONTINUUM_LONG_TESTS"] === "1" ? 20_000 : 600 },
    );
  }, 600_000);
});

/** In any 24 hours at most eight messages. */
function expectCalmDays(messages: readonly { readonly atMs: number }[]): void {
  for (const [i, { atMs: from }] of messages.entries()) {
    const sameDay = messages.slice(i).filter((each) => each.atMs - from < DAY);
    expect(sameDay.length).toBeLessThanOrEqual(8);
  }
}
