import type { VectorOutcome } from "./run-core-vector.js";

/** A vector's line for a person. */
export function formatOutcome(outcome: VectorOutcome): string {
  return outcome.ok ? `ok      ${outcome.name}` : `FAILED  ${outcome.name}\n        ${outcome.problem}`;
}

/** The closing line. */
export function formatTotals(outcomes: readonly VectorOutcome[]): string {
  if (outcomes.length === 0) return "no vector has such a name";
  const failed = outcomes.filter(({ ok }) => !ok).length;
  return `${outcomes.length - failed} passed, ${failed} failed`;
}
