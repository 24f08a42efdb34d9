import { CommandError, type RustCoreIPCClient } from "@continuum/ipc-client";
import type {
  CacheEvictionHistory,
  DockerEvictionHistory,
  DockerEvictionPlan,
  DockerEvictionRun,
  DockerTierUsage,
  DockerUndoRun,
} from "@continuum/wire-types";

/** What is asked about Docker's disk, as the command line says it. */
export type DockerQuestion =
  | { readonly kind: "usage"; readonly limit: number; readonly fresh: boolean }
  | {
      readonly kind: "plan";
      readonly policy: "conservative" | "standard" | "aggressive" | null;
      readonly wantBytes: number | null;
      readonly target: number | null;
    }
  | { readonly kind: "apply"; readonly planId: string }
  | { readonly kind: "history"; readonly limit: number; readonly evictionId: string | null }
  | { readonly kind: "undo"; readonly what: { readonly evictionId: string } | { readonly image: string } };

/** What the core answered. */
export type DockerReport =
  | { readonly kind: "usage"; readonly value: DockerTierUsage }
  | { readonly kind: "plan"; readonly value: DockerEvictionPlan }
  | { readonly kind: "apply"; readonly value: DockerEvictionRun }
  | {
      readonly kind: "history";
      /** `caches` is null where one Docker eviction is asked for, and for a core that keeps no ledger of them. */
      readonly value: DockerEvictionHistory & { readonly caches: CacheEvictionHistory | null };
    }
  | { readonly kind: "undo"; readonly value: DockerUndoRun };

/** The most that the core waits for an end before it answers, in milliseconds. */
const MAX_WAIT_MS = 50_000;
/** Left for the way there and back. */
const MARGIN_MS = 1_000;

/** Asks the core; `timeoutMs` is what the request may take. */
export async function askDocker(
  client: RustCoreIPCClient,
  question: DockerQuestion,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<DockerReport> {
  const options = { signal };
  const waitMs = Math.max(0, Math.min(MAX_WAIT_MS, timeoutMs - MARGIN_MS));
  switch (question.kind) {
    case "usage": {
      const { limit, fresh } = question;
      const value = await client.dockerTierUsage({ limit, ...(fresh ? { maxAgeMs: 0 } : {}) }, options);
      return { kind: "usage", value };
    }
    case "plan": {
      const { policy, wantBytes, target } = question;
      const params = {
        ...(policy === null ? {} : { policy }),
        ...(wantBytes === null ? {} : { wantBytes }),
        ...(target === null ? {} : { target }),
      };
      return { kind: "plan", value: await client.dockerEvictPlan(params, options) };
    }
    case "apply":
      return {
        kind: "apply",
        value: await client.dockerEvictApply({ planId: question.planId, waitMs }, options),
      };
    case "history": {
      const { limit, evictionId } = question;
      const params = { limit, ...(evictionId === null ? {} : { evictionId }) };
      const [docker, caches] = await Promise.all([
        client.dockerEvictHistory(params, options),
        evictionId === null ? unlessUnknown(client.cacheEvictHistory({ limit }, options)) : null,
      ]);
      return { kind: "history", value: { ...docker, caches } };
    }
    case "undo":
      return { kind: "undo", value: await client.dockerEvictUndo({ ...question.what, waitMs }, options) };
  }
}

/** Null from a core that doesn't know the command. */
async function unlessUnknown<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CommandError && error.errorDetail?.kind === "unknownCommand") return null;
    throw error;
  }
}

/** Whether what was asked for was done: what failed, or is only half done, isn't. */
export function isDone(report: DockerReport): boolean {
  if (report.kind !== "apply" && report.kind !== "undo") return true;
  return report.value.state !== "failed";
}
