import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ClientSubject } from "./client-subject.js";
import type { ClientVector } from "./client-vector.js";
import { toProgram } from "./own-client-subject.js";
import { readClientVectors, readCoreVectors } from "./read-vectors.js";
import { runClientVector } from "./run-client-vector.js";
import { type CoreTarget, runCoreVector } from "./run-core-vector.js";
import { type CoreFault, TinyCore } from "./testing/tiny-core.js";

const coreVectors = readCoreVectors();
const clientVectors = readClientVectors();
const naiveClient = toProgram(join(import.meta.dirname, "testing/naive-client-subject.ts"));

/** A vector that nobody can fail tests nothing: each of these has one fault, and the vectors find it. */
describe("what is wrong is found", () => {
  const protocol = coreVectors.filter(({ level }) => level === "protocol");
  const halfClosed = coreVectors.filter(({ name }) => name.includes("half closed"));
  const failures = async (fault: CoreFault | null, among = protocol): Promise<string[]> => {
    const failed: string[] = [];
    for (const vector of among) {
      await using core = await TinyCore.start(fault);
      const target: CoreTarget = { connect: { path: core.path }, withinMs: 400, greeting: null };
      if (!(await runCoreVector(vector, target)).ok) failed.push(vector.name);
      // One is enough, where a fault is looked for.
      if (fault !== null && failed.length > 0) break;
    }
    return failed;
  };

  it("a small core without a fault passes what every core must", async () => {
    expect(await failures(null)).toEqual([]);
  });

  it.each<CoreFault>([
    "littleEndian",
    "noRequestId",
    "idAsText",
    "chunkIsLine",
    "answersTwice",
    "prototypeCommands",
    "endsOnGarbage",
    "refusesUnknownKeys",
    "clampsIds",
    "onlyFirstLine",
    "jsonPerFrameLine",
  ])("a core with the fault %s", async (fault) => {
    expect(await failures(fault)).not.toEqual([]);
  });

  it("a core that drops a peer which has ended its side, by each vector about that", async () => {
    expect(halfClosed.length).toBe(2);
    expect(await failures(null, halfClosed)).toEqual([]);
    for (const vector of halfClosed)
      expect(await failures("dropsHalfClosed", [vector])).toEqual([vector.name]);
  });

  describe("a client with a fault", () => {
    const failures = async (
      argument: string,
      among: readonly ClientVector[],
      most: number,
    ): Promise<string[]> => {
      await using subject = new ClientSubject([...naiveClient, argument]);
      const failed: string[] = [];
      for (const vector of among) {
        if (!(await runClientVector(vector, subject, 3_000)).ok) failed.push(vector.name);
        if (failed.length >= most) break;
      }
      return failed;
    };
    let passable: readonly ClientVector[] = [];
    beforeAll(async () => {
      const failed = await failures("none", clientVectors, Infinity);
      // A client of a few lines: no events, no second try, no limits.
      passable = clientVectors.filter(({ name }) => !failed.includes(name));
    }, 120_000);

    it("is judged by vectors that it would pass without", () => {
      expect(passable.length).toBeGreaterThan(10);
    });

    it.each([
      "chunkIsFrame",
      "oneFrameAChunk",
      "resendsAll",
      "deniesExecution",
      "lastZero",
      "answersInOrder",
      "swallowsRefusals",
      "reusesIds",
    ])("%s", async (fault) => {
      expect(await failures(fault, passable, 1)).toHaveLength(1);
    });
  });
});
