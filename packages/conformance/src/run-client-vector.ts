import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientSubject, SubjectAnswer } from "./client-subject.js";
import type { ClientOperation, ClientVector } from "./client-vector.js";
import { attachmentBytes } from "./frame-bytes.js";
import { matchPattern } from "./match-pattern.js";
import type { VectorOutcome } from "./run-core-vector.js";
import { cutLength, ScriptedCore } from "./scripted-core.js";

/** Plays a vector against a client; never rejects for what the client does. */
export async function runClientVector(
  vector: ClientVector,
  subject: ClientSubject,
  withinMs: number,
): Promise<VectorOutcome> {
  const length = cutLength(vector);
  const cuts = length === null ? [null] : Array.from({ length: length - 1 }, (_, i) => i + 1);
  for (const at of cuts) {
    const problem = await playOnce(vector, subject, at, withinMs);
    if (problem !== null) {
      return {
        name: vector.name,
        ok: false,
        problem: at === null ? problem : `cut after byte ${at}: ${problem}`,
      };
    }
  }
  return { name: vector.name, ok: true };
}

async function playOnce(
  { connections, operations }: ClientVector,
  subject: ClientSubject,
  cutAt: number | null,
  withinMs: number,
): Promise<string | null> {
  const directory = await mkdtemp(join(tmpdir(), "conformance-"));
  try {
    const path = join(directory, "core.sock");
    await using core = await ScriptedCore.start(path, connections, cutAt);
    subject.revive();
    const opened = await subject.ask({ op: "open", url: `unix://${path}` }, withinMs);
    if (opened.ok !== true) return `the client could not be opened: ${JSON.stringify(opened)}`;
    const outcomes = await Promise.all(operations.map((each) => playOperation(each, subject, withinMs)));
    const closed = await subject.ask({ op: "close" }, withinMs);
    const problems = outcomes.flatMap((problem, i) =>
      problem === null ? [] : [`operation ${i + 1}: ${problem}`],
    );
    if (closed.ok !== true) problems.push("the client could not be closed");
    return [...problems, ...core.problems].join("; ") || null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function playOperation(
  operation: ClientOperation,
  subject: ClientSubject,
  withinMs: number,
): Promise<string | null> {
  if ("subscribe" in operation) return playSubscription(operation, subject, withinMs);
  const { request, params = {}, timeoutMs = withinMs, expect } = operation;
  // Longer than the request may take: the client is to say so itself.
  const answer = await subject.ask({ op: "request", command: request, params, timeoutMs }, 2 * withinMs);
  if ("error" in expect) {
    return answer.error === undefined
      ? `expected an error, got ${JSON.stringify(answer).slice(0, 200)}`
      : matchPattern(expect.error, answer.error, "error");
  }
  if (answer.error !== undefined) return `expected a result, got ${JSON.stringify(answer.error)}`;
  return matchPattern(expect.result, answer.result, "result") ?? checkAttachment(expect.attachment, answer);
}

function checkAttachment(
  expected: Parameters<typeof attachmentBytes>[0] | undefined,
  { attachment }: SubjectAnswer,
): string | null {
  const wanted = attachmentBytes(expected ?? null);
  const got = typeof attachment === "string" ? Buffer.from(attachment, "base64") : null;
  if (wanted === null || got === null) {
    return wanted === got
      ? null
      : `expected ${wanted === null ? "no" : "an"} attachment, got ${got === null ? "none" : "one"}`;
  }
  return wanted.equals(got)
    ? null
    : `the attachment of ${got.length} bytes isn't the one of ${wanted.length} that was sent`;
}

function playSubscription(
  { subscribe, expect }: Extract<ClientOperation, { subscribe: string }>,
  subject: ClientSubject,
  withinMs: number,
): Promise<string | null> {
  const left = [...expect.events];
  let hasGap = false;
  return new Promise((resolve) => {
    let id = 0;
    const settle = (problem: string | null): void => {
      clearTimeout(timer);
      subject.forget(id);
      resolve(problem);
    };
    const timer = setTimeout(() => {
      settle(`${left.length} events were still to come after ${withinMs} ms`);
    }, withinMs);
    id = subject.send({ op: "subscribe", event: subscribe }, (answer) => {
      if (answer.error !== undefined) {
        settle(`the subscription failed: ${JSON.stringify(answer.error)}`);
      } else if (answer.gap === true) {
        hasGap = true;
      } else if ("event" in answer) {
        const problem = matchPattern(left.shift(), answer.event, "event");
        if (problem !== null) settle(problem);
        else if (left.length === 0) {
          settle(
            expect.gap === true && !hasGap ? "the client never said that it may have missed something" : null,
          );
        }
      }
    });
  });
}
