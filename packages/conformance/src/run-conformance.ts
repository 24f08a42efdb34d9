import { ClientSubject } from "./client-subject.js";
import type { ConformanceRun } from "./command-line.js";
import { readClientVectors, readCoreVectors } from "./read-vectors.js";
import { runClientVector } from "./run-client-vector.js";
import { type CoreTarget, runCoreVector, type VectorOutcome } from "./run-core-vector.js";
import { toConnectOptions } from "./to-connect-options.js";

/** Runs the vectors that were asked for, one after the other; `onOutcome` hears of each as it ends. */
export async function runConformance(
  { url, client, level, only, withinMs }: ConformanceRun,
  {
    token,
    cwd,
    onOutcome,
  }: {
    /** Presented on each connection; null for none. */
    readonly token: string | null;
    readonly cwd: string;
    readonly onOutcome: (outcome: VectorOutcome) => void;
  },
): Promise<readonly VectorOutcome[]> {
  const isAsked = (vector: { readonly name: string; readonly level: string }): boolean =>
    (level === "continuum" || vector.level === "protocol") &&
    (only.length === 0 || only.some((part) => vector.name.includes(part)));
  const outcomes: VectorOutcome[] = [];
  const keep = (outcome: VectorOutcome): void => {
    outcomes.push(outcome);
    onOutcome(outcome);
  };
  if (url !== null) {
    const target: CoreTarget = { connect: toConnectOptions(url), withinMs, greeting: toGreeting(token) };
    for (const vector of readCoreVectors().filter(isAsked)) keep(await runCoreVector(vector, target));
  }
  if (client !== null) {
    await using subject = new ClientSubject(client, cwd);
    for (const vector of readClientVectors().filter(isAsked))
      keep(await runClientVector(vector, subject, withinMs));
  }
  return outcomes;
}

function toGreeting(token: string | null): string | null {
  return token === null ? null : `${JSON.stringify({ command: "session/authenticate", token })}\n`;
}
