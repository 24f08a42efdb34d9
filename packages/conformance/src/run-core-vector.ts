import type { NetConnectOpts } from "node:net";
import type { BytesSpec, CoreStep, CoreVector } from "./core-vector.js";
import { matchPattern } from "./match-pattern.js";
import type { Split } from "./split-bytes.js";
import { ConformanceError, type ReceivedFrame, WireConnection } from "./wire-connection.js";

/** Where the core is and how patient the run is. */
export interface CoreTarget {
  readonly connect: NetConnectOpts;
  /** How long an answer may take, in ms. */
  readonly withinMs: number;
  /** Written on each connection before anything else, a line with its newline; its reply is awaited. Null for none. */
  readonly greeting: string | null;
}

/** How a vector ended. */
export type VectorOutcome =
  | { readonly name: string; readonly ok: true }
  | { readonly name: string; readonly ok: false; readonly problem: string };

/** Plays a vector against a core; never rejects for what the core does. One with `everyPosition` is played once for each. */
export async function runCoreVector(vector: CoreVector, target: CoreTarget): Promise<VectorOutcome> {
  const { name } = vector;
  for (const at of positions(vector)) {
    const problem = await playOnce(vector.steps, target, at);
    if (problem !== null) {
      return { name, ok: false, problem: at === null ? problem : `cut after byte ${at}: ${problem}` };
    }
  }
  return { name, ok: true };
}

/** Where the bytes are cut in two, one run each; a single null for a vector that isn't. */
function positions({ steps }: CoreVector): readonly (number | null)[] {
  const cut = steps.find((step) => "send" in step && step.split === "everyPosition");
  if (cut === undefined || !("send" in cut)) return [null];
  return Array.from({ length: toBytes(cut.send).length - 1 }, (_, i) => i + 1);
}

async function playOnce(
  steps: readonly CoreStep[],
  target: CoreTarget,
  cutAt: number | null,
): Promise<string | null> {
  const connections = new Map<string, WireConnection>();
  const connection = async (name = "main"): Promise<WireConnection> => {
    let found = connections.get(name);
    if (found === undefined) connections.set(name, (found = await greet(target)));
    return found;
  };
  let number = 0;
  try {
    for (const step of steps) {
      number += 1;
      const problem = await playStep(step, { target, connection, cutAt });
      if (problem !== null) return `step ${number}: ${problem}`;
    }
    return null;
  } catch (error) {
    // Whatever the core or the system did: an outcome. A bug of a vector is one too, and says so.
    return `step ${number}: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    for (const each of connections.values()) await each[Symbol.asyncDispose]();
  }
}

interface Play {
  readonly target: CoreTarget;
  readonly connection: (name?: string) => Promise<WireConnection>;
  readonly cutAt: number | null;
}

async function playStep(step: CoreStep, { target, connection, cutAt }: Play): Promise<string | null> {
  const { withinMs } = target;
  if ("healthy" in step) return checkHealth(target);
  const peer = await connection(step.on);
  if ("send" in step) {
    await peer.write(toBytes(step.send), toSplit(step.split, cutAt));
    return null;
  }
  if ("replies" in step) return checkReplies(step.replies, peer, withinMs);
  if ("repliesTo" in step) return checkRepliesTo(step.repliesTo, peer, withinMs);
  if ("errorOrClosed" in step) {
    const frame = await peer.next(withinMs);
    return frame === null
      ? null
      : matchPattern({ success: false, requestId: { $absent: true } }, frame.message);
  }
  if ("closed" in step) return checkClosed(step.closed.after, peer, withinMs);
  if ("endWrites" in step) {
    peer.endWrites();
    return null;
  }
  return (await peer.hears(step.silentForMs)) ? "something came where nothing was to come" : null;
}

function toSplit(split: string | number | undefined, cutAt: number | null): Split {
  if (split === "everyPosition") return { at: cutAt ?? 0 };
  return split === "everyByte" || typeof split === "number" ? split : "whole";
}

function toBytes({ text, hex, requests, numbered, paddedTo, repeat = 1 }: BytesSpec): Buffer {
  const parts: Buffer[] = [];
  if (text !== undefined) parts.push(Buffer.from(text));
  if (hex !== undefined) parts.push(Buffer.from(hex, "hex"));
  for (const request of requests ?? []) parts.push(Buffer.from(`${JSON.stringify(request)}\n`));
  if (numbered !== undefined) {
    const { command, from, to } = numbered;
    for (let requestId = from; requestId <= to; requestId++) {
      parts.push(Buffer.from(`${JSON.stringify({ command, requestId })}\n`));
    }
  }
  if (paddedTo !== undefined) {
    const empty = JSON.stringify({ command: "health-check", requestId: paddedTo.requestId, padding: "" });
    const line = empty.replace('""', `"${"x".repeat(Math.max(0, paddedTo.bytes - empty.length))}"`);
    parts.push(Buffer.from(paddedTo.newline ? `${line}\n` : line));
  }
  const once = Buffer.concat(parts);
  return Buffer.concat(Array.from({ length: repeat }, () => once));
}

/** The next frames fit the patterns, each to one, in whatever order they come. */
async function checkReplies(
  patterns: readonly unknown[],
  peer: WireConnection,
  withinMs: number,
): Promise<string | null> {
  const left = [...patterns];
  while (left.length > 0) {
    const frame = await peer.next(withinMs);
    if (frame === null) return `the core closed the connection; ${left.length} frames were still to come`;
    const problems = left.map((pattern) => matchFrame(pattern, frame));
    const fits = problems.indexOf(null);
    if (fits < 0) return problems.join("; or ");
    left.splice(fits, 1);
  }
  return null;
}

/** A pattern's key `$attachment` is about the frame's attachment, in hex; null for none. */
function matchFrame(pattern: unknown, { message, attachment }: ReceivedFrame): string | null {
  if (typeof pattern !== "object" || pattern === null || !("$attachment" in pattern)) {
    return matchPattern(pattern, message);
  }
  const { $attachment, ...rest } = pattern;
  return (
    matchPattern($attachment, attachment?.toString("hex") ?? null, "the attachment") ??
    matchPattern(rest, message)
  );
}

async function checkRepliesTo(
  { from, to, each }: { readonly from: number; readonly to: number; readonly each: unknown },
  peer: WireConnection,
  withinMs: number,
): Promise<string | null> {
  const missing = new Set(Array.from({ length: to - from + 1 }, (_, i) => from + i));
  while (missing.size > 0) {
    const frame = await peer.next(withinMs);
    if (frame === null) return `the core closed the connection; ${missing.size} replies were still to come`;
    const { requestId } = frame.message as { readonly requestId?: unknown };
    if (!missing.delete(requestId as number)) return `a reply to ${String(requestId)}, which wasn't open`;
    const problem = matchPattern(each, frame.message);
    if (problem !== null) return problem;
  }
  return null;
}

async function checkClosed(after: unknown, peer: WireConnection, withinMs: number): Promise<string | null> {
  for (;;) {
    const frame = await peer.next(withinMs);
    if (frame === null) return null;
    if (after === undefined) continue;
    const problem = matchPattern(after, frame.message);
    if (problem !== null) return problem;
  }
}

async function checkHealth(target: CoreTarget): Promise<string | null> {
  await using peer = await greet(target);
  await peer.write(Buffer.from('{"command":"health-check","requestId":1}\n'));
  const frame = await peer.next(target.withinMs);
  if (frame === null) return "a new connection was closed instead of answered";
  return matchPattern({ success: true, requestId: 1, result: { healthy: true } }, frame.message);
}

async function greet({ connect, greeting, withinMs }: CoreTarget): Promise<WireConnection> {
  const peer = await WireConnection.open(connect);
  if (greeting === null) return peer;
  try {
    await peer.write(Buffer.from(greeting));
    const frame = await peer.next(withinMs);
    const problem = frame === null ? "the core closed" : matchPattern({ success: true }, frame.message);
    if (problem !== null) throw new ConformanceError(`the greeting was refused: ${problem}`);
    return peer;
  } catch (error) {
    await peer[Symbol.asyncDispose]();
    throw error;
  }
}
