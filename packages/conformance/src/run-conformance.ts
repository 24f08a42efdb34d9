import { ClientSubject } from "./client-subject.js";
import type { ConformanceRun } from "./command-line.js";
import { readClientVectors, readCoreVectors } from "./read-vectors.js";
import { runClientVector } from "./run-client-vector.js";
import { type CoreTarget, runCoreVector, type VectorOutcome } from "./run-core-vector.js";
import { toConnectOptions } from "./to-connect-options.js";
import { WireConnection } from "./wire-connection.js";

/**
 * Runs the vectors that were asked for, one after the other; `onOutcome` hears of each as it ends. Rejects when nobody
 * answers at the URL: that says nothing of a core.
 */
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
    await requireAnswer(url, target);
    for (const vector of readCoreVectors().filter(isAsked)) keep(await runCoreVector(vector, target));
  }
  if (client !== null) {
    await using subject = new ClientSubject(client, cwd);
    for (const vector of readClientVectors().filter(isAsked))
      keep(await runClientVector(vector, subject, withinMs));
  }
  return outcomes;
}

/** Rejects, with what the system said, when no connection can be made. */
async function requireAnswer(url: string, { connect, withinMs }: CoreTarget): Promise<void> {
  try {
    await using connection = await WireConnection.open(connect, AbortSignal.timeout(withinMs));
    connection.endWrites();
  } catch (cause) {
    const isTimeout = cause instanceof Error && cause.name === "AbortError";
    const reason = isTimeout ? `no connection within ${withinMs} ms` : (cause as Error).message;
    throw new Error(`nobody answers at ${url}: ${reason}`, { cause });
  }
}

function toGreeting(token: string | null): string | null {
  return token === null ? null : `${JSON.stringify({ command: "session/authenticate", token })}\n`;
}
