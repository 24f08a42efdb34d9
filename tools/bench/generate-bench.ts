import type { ContractModel } from "../generate/contract-model.js";
import { buildFiles } from "../generate/build-files.js";
import { readCommandSpec } from "../generate/read-command-spec.js";
import type { GeneratedFile } from "../generate/generated-file.js";
import { formatTable } from "../contract/format-tables.js";
import { namedShapeFromSchema } from "../contract/shape-from-schema.js";

/** Generating 10, 100 and 1,000 types and specs: time and memory must grow in proportion. */
export function benchGenerate(): string {
  generate(10); // warm
  const rows = [10, 100, 1000].map((count) => {
    const times = Array.from({ length: 7 }, () => generate(count)).sort((a, b) => a.ms - b.ms);
    const { ms, bytes } = times[3] ?? { ms: Number.NaN, bytes: 0 };
    const heapBytes = heapOf(count);
    return [
      String(count),
      ms.toFixed(1),
      ((ms * 1000) / count).toFixed(0),
      (bytes / 1e6).toFixed(2),
      (heapBytes / 1e6).toFixed(2),
      (heapBytes / 1e3 / count).toFixed(1),
    ];
  });
  return `Types and as many specs, in memory\n${formatTable([["count", "median ms", "µs each", "MB generated", "MB of heap held", "kB each"], ...rows])}`;
}

/** What the contract and its files hold of the heap, garbage collected before and after where Node allows it. */
function heapOf(count: number): number {
  const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);
  collect();
  const before = process.memoryUsage().heapUsed;
  const held = build(count);
  collect();
  const after = process.memoryUsage().heapUsed;
  return held.length > 0 ? Math.max(0, after - before) : 0;
}

function generate(count: number): { ms: number; bytes: number } {
  const started = performance.now();
  const files = build(count);
  return { ms: performance.now() - started, bytes: files.reduce((sum, { text }) => sum + text.length, 0) };
}

/** All files of a contract with so many types and specs, from their texts. */
function build(count: number): readonly GeneratedFile[] {
  const schemas = Array.from({ length: count }, (_, i) => schemaOf(i));
  const specs = Array.from({ length: count }, (_, i) => JSON.stringify(specOf(i)));
  const types = schemas.map((schema, i) => namedShapeFromSchema(`paging/Type${i}.json`, schema));
  const names = new Set(types.map(({ name }) => name));
  const commands = specs.map((spec, i) => {
    const reading = readCommandSpec(`spec-${i}.json`, spec, names);
    if (!reading.ok) throw new Error("the bench's own spec is wrong");
    return reading.command;
  });
  const contract: ContractModel = { types, commands };
  return buildFiles(contract);
}

function schemaOf(i: number): object {
  const properties: Record<string, object> = {};
  for (let f = 0; f < 10; f += 1)
    properties[`field${f}`] = { type: "integer", minimum: 0, description: `Field ${f}.` };
  // A tree of references, as wide as contracts are and far from circular.
  if (i > 0)
    properties["base"] = { description: "Another.", allOf: [{ $ref: `./Type${Math.floor(i / 10)}.json` }] };
  return { description: `Type ${i}.`, type: "object", properties, required: Object.keys(properties) };
}

function specOf(i: number): unknown {
  return {
    name: `bench/command-${i}`,
    description: `Command ${i}.`,
    params: [{ name: "id", type: "string", required: true, description: "Which." }],
    results: [{ name: "value", type: `Type${i}`, description: "What." }],
    method: `command${i}`,
  };
}
