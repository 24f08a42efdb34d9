import fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const corpus = (name: string): readonly string[] =>
  JSON.parse(readFileSync(join(import.meta.dirname, "../../corpus", name), "utf8")) as string[];

/** Lines that were a problem somewhere, or might be. */
const REQUEST_CORPUS = corpus("request-lines.json");
/** Payloads of response frames that were a problem somewhere, or might be. */
const RESPONSE_CORPUS = corpus("response-frames.json");

const commands = [
  "health-check",
  "system/docker-tier-stats",
  "system/docker-tier-probe",
  "system/docker-tier-usage",
  "system/pressure-broker-state",
  "system/pressure-trends",
  "system/resources",
  "system/resource-admit",
  "system/docker-evict-history",
  "system/docker-evict-plan",
  "events/subscribe",
  "events/unsubscribe",
];
const keys = [
  "tier",
  "projectedBytes",
  "limit",
  "windowMs",
  "events",
  "topN",
  "includeProcesses",
  "policy",
  "target",
];
const oddKeys = ["__proto__", "constructor", "prototype", "toString", "length", ""];
const values = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer(),
  fc.double(),
  fc.constantFrom("docker", "__proto__", "pressure-alert", "standard", "../..", "\u0000", "💥"),
  fc.array(fc.constantFrom("pressure-alert", "eviction", "pressure-state", "x"), { maxLength: 3 }),
);
const ids = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 1_000_000 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
);

/** Requests that keep to the grammar, more or less: known and unknown commands with known and unknown parameters. */
const requestLine = fc
  .record(
    {
      command: fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...commands) },
        {
          weight: 1,
          arbitrary: fc.oneof(fc.string(), fc.constantFrom(...oddKeys), fc.jsonValue({ maxDepth: 1 })),
        },
      ),
      requestId: ids,
      params: fc.dictionary(fc.oneof(fc.constantFrom(...keys, ...oddKeys), fc.string()), values, {
        maxKeys: 4,
      }),
    },
    { requiredKeys: ["command"] },
  )
  .map(({ params, ...rest }) => JSON.stringify({ ...params, ...rest }));

/** Replies and events that keep to the grammar, more or less. */
const responsePayload = fc
  .record(
    {
      success: fc.oneof(fc.boolean(), fc.jsonValue({ maxDepth: 1 })),
      result: values,
      error: fc.oneof(fc.string(), fc.jsonValue({ maxDepth: 1 })),
      errorDetail: fc.oneof(
        fc.record({ kind: fc.constantFrom("overloaded", "timeout", "internal", "x") }),
        values,
      ),
      requestId: fc.oneof(fc.integer({ min: 1, max: 64 }), ids),
      event: fc.constantFrom("pressure-alert", "pressure-state", "eviction", "dropped", "x"),
      data: values,
    },
    { requiredKeys: [] },
  )
  .map((message) => JSON.stringify(message));

/** So many request lines (no newline within), the corpus first; the same for the same seed. */
export function sampleRequestLines(count: number, seed: number): readonly Buffer[] {
  return [...REQUEST_CORPUS, ...fc.sample(requestLine, { numRuns: count, seed })].map((line) =>
    Buffer.from(line.replaceAll("\n", " ")),
  );
}

/** So many payloads of response frames, the corpus first; the same for the same seed. */
export function sampleResponsePayloads(count: number, seed: number): readonly Buffer[] {
  return [...RESPONSE_CORPUS, ...fc.sample(responsePayload, { numRuns: count, seed })].map((text) =>
    Buffer.from(text),
  );
}

/** Changes bytes as line noise would: flips, inserts, deletes, doubles, cuts off. `random` gives numbers of [0, 1). */
export function mutateBytes(bytes: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * (bytes.length + 1));
  const length = Math.floor(random() * 8);
  switch (Math.floor(random() * 5)) {
    case 0: {
      const changed = Buffer.from(bytes);
      if (at < changed.length) changed[at] = Math.floor(random() * 256);
      return changed;
    }
    case 1: {
      const noise = Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
      return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
    }
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - length))]);
    default:
      return bytes.subarray(0, at);
  }
}
