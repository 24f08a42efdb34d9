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

/** Plays observations and gives the messages, each with its time. */
function play(
  observations: Iterable<Partial<EpisodeObservation> & { readonly atMs: number }>,
): { kind: string; atMs: number; episode: AlertEpisode }[] {
  let episode: AlertEpisode | null = null;
  let ids = 0;
  const messages: { kind: string; atMs: number; episode: AlertEpisode }[] = [];
  for (const each of observations) {
    const seen = { pressure: null, relief: null, isGone: false, ...each };
    const step = observeEpisode(episode, seen, policy, () => `e${(ids += 1)}`);
    episode = step.episode;
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
    expect(kinds(messages)).toEqual(["fired", "escalated", ...Array<string>(5).fill("repeated")]);
    const flat = play(every(5_000, DAY, () => 0.97));
    expect(kinds(flat)).toEqual(["fired", ...Array<string>(5).fill("repeated")]);
  });

  it.each([5_000, 20_000, MINUTE, 5 * MINUTE, 9 * MINUTE])(
    "a storm of flaps every %i ms for a day fires once and resolves once",
    (half) => {
      const storm = every(5_000, DAY, (atMs) => (Math.floor(atMs / half) % 2 === 0 ? 0.9 : 0.5));
      const calm = every(5_000, HOUR, () => 0.5, DAY + 5_000);
      const messages = play([...storm, ...calm]);
      expect(kinds(messages).filter((kind) => kind !== "repeated")).toEqual(["fired", "resolved"]);
      expect(messages.length).toBeLessThanOrEqual(8);
    },
  );

  it("not to know isn't to be calm", () => {
    const messages = play([
      ...every(5_000, MINUTE, () => 0.9),
      ...every(5_000, HOUR, () => null, MINUTE + 5_000),
      ...every(5_000, 10 * MINUTE, () => 0.5, HOUR + 70_000),
    ]);
    expect(messages.map(({ kind, atMs }) => [kind, atMs])).toEqual([
      ["fired", 10_000],
      ["resolved", HOUR + 70_000 + 10 * MINUTE],
    ]);
  });

  it("a pool that is gone for good ends its episode", () => {
    const messages = play([...every(5_000, MINUTE, () => 0.9), { atMs: 2 * MINUTE, isGone: true }]);
    expect(kinds(messages)).toEqual(["fired", "resolved"]);
  });

  it("holds for all that can be seen: a bounded number of messages, in order, of one episode at a time", () => {
    const observation = fc.record({
      stepMs: fc.oneof(fc.constantFrom(250, 5_000, MINUTE), fc.nat(30 * MINUTE)),
      pressure: fc.option(fc.double({ min: 0, max: 1.2, noNaN: true })),
      relief: fc.option(fc.record({ freedBytes: fc.nat(1000), actionTaken: fc.boolean() })),
    });
    fc.assert(
      fc.property(fc.array(observation, { maxLength: 300 }), (steps) => {
        let atMs = 0;
        const messages = play(steps.map(({ stepMs, ...seen }) => ({ ...seen, atMs: (atMs += stepMs) })));
        let open: string | null = null;
        let count = 0;
        for (const { kind, episode } of messages) {
          if (kind === "fired") {
            expect(open).toBeNull();
            [open, count] = [episode.id, 0];
          }
          expect(episode.id).toBe(open);
          expect(episode.messageCount).toBe((count += 1));
          if (kind === "resolved") open = null;
        }
        for (const [i, { atMs: from }] of messages.entries()) {
          const sameDay = messages.slice(i).filter((each) => each.atMs < from + DAY);
          // Two a cycle of pressure and calm, whose calm grows from ten minutes to four hours.
          expect(sameDay.length).toBeLessThanOrEqual(40);
        }
      }),
      { numRuns: 300 },
    );
  });
});
