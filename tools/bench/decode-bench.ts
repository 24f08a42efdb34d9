import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type BrokerSnapshot,
  brokerSnapshotSchema,
  decodeBrokerSnapshot,
  type PoolView,
} from "@continuum/wire-types";
import { Ajv2020 } from "ajv/dist/2020.js";
import { formatTimings, timeInterleaved } from "./interleave.js";

const schemas = join(import.meta.dirname, "../../schemas/paging");

/** Parsing and validating a BrokerSnapshot with 100 pools, against parsing it alone. */
export function benchDecode(): string {
  const text = JSON.stringify(snapshotOf(100));
  const ajv = new Ajv2020();
  for (const type of ["PressureTier", "PoolStats", "PoolView", "BrokerSnapshot"]) {
    ajv.addSchema(
      JSON.parse(readFileSync(join(schemas, `${type}.json`), "utf8")) as object,
      `contract:/${type}.json`,
    );
  }
  const compiled = ajv.getSchema("contract:/BrokerSnapshot.json");
  if (compiled === undefined) throw new Error("ajv has no schema");
  const timings = timeInterleaved([
    { name: "JSON.parse alone", run: () => JSON.parse(text) as unknown },
    { name: "decode (guards)", run: () => decodeBrokerSnapshot(JSON.parse(text)) },
    { name: "ajv, compiled", run: () => compiled(JSON.parse(text)) },
    { name: "zod", run: () => brokerSnapshotSchema.parse(JSON.parse(text)) },
  ]);
  return `A BrokerSnapshot with 100 pools, ${text.length} bytes\n${formatTimings(timings)}`;
}

function snapshotOf(count: number): BrokerSnapshot {
  const pools = Array.from({ length: count }, (_, i): PoolView => {
    const pressure = 1 - i / count / 2;
    const name = `pool-${i}`;
    const stats = {
      name,
      entryCount: i * 7,
      pinnedCount: i,
      totalBytes: 123_456_789_012 + i,
      maxBytes: 987_654_321_098,
      pressure,
      hitCount: i * 1000,
      missCount: i * 10,
      evictionCount: i,
      inflightCount: i % 3,
    };
    return { name, pressure, tier: pressure >= 0.95 ? "critical" : "high", stats };
  });
  return {
    globalPressure: 1,
    globalTier: "critical",
    pools,
    evictionsFired: 12,
    bytesFreedTotal: 8_200_000_000,
  };
}
