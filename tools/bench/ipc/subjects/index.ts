import type { BenchSubject } from "../bench-subject.js";
import { coreConnectingSubject, coreLowLatencySubject, coreSubject } from "./core-subject.js";
import { existingPerCallSubject, existingSubject } from "./existing-subject.js";
import { floorSubject } from "./floor-subject.js";
import { grpcSubject } from "./grpc-subject.js";
import { jsonRpcSubject } from "./jsonrpc-subject.js";
import { redisAutoPipeliningSubject, redisSubject } from "./redis-subject.js";

/** Everything that is compared, by the name in the table. */
export const SUBJECTS = {
  floor: floorSubject,
  continuum: coreSubject,
  "continuum, low latency": coreLowLatencySubject,
  "continuum, connecting": coreConnectingSubject,
  existing: existingSubject,
  "existing, connecting": existingPerCallSubject,
  ioredis: redisSubject,
  "ioredis, autopipelining": redisAutoPipeliningSubject,
  "grpc-js": grpcSubject,
  "vscode-jsonrpc": jsonRpcSubject,
} as const satisfies Record<string, BenchSubject>;

/** The name of a subject. */
export type SubjectName = keyof typeof SUBJECTS;
