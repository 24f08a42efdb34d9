import {
  DEFAULT_MAX_PRESSURE_BASIS_POINTS,
  ensureProjectedDiskCapacity,
  type PoolReading,
  ResourceAdmissionError,
} from "@continuum/broker-core";
import type { AdmissionTicket } from "@continuum/wire-types";
import { randomUUID } from "node:crypto";
import { toErrorText } from "../error-text.js";
import { invalidParam, RequestError } from "../request-error.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "system/resource-admit";

const COMMAND = "system/resource-admit";

/** What admission needs of the tiers. */
export interface AdmissionTiers {
  /** The tiers that exist. */
  readonly names: () => readonly string[];
  /** A fresh reading of one of them; null when it has just gone. */
  readonly read: (name: string, signal: AbortSignal) => Promise<PoolReading | null>;
  readonly nowMs: () => number;
}

/** Answers `system/resource-admit`: whether a tier can take more bytes, by a reading made for the question. */
export function createAdmissionModule({ names, read, nowMs }: AdmissionTiers): ServiceModuleFor<Commands> {
  const readFresh = async (tier: string, signal: AbortSignal): Promise<PoolReading> => {
    let reading: PoolReading | null;
    try {
      reading = await read(tier, signal);
    } catch (error) {
      throw unavailable(tier, `it can't be read: ${toErrorText(error)}`, error);
    }
    if (reading === null) throw unavailable(tier, "it has just gone");
    if (reading.stale) throw unavailable(tier, "its last reading is stale, and a new one can't be had");
    return reading;
  };

  const handlers: Pick<CommandHandlers, Commands> = {
    "system/resource-admit": async ({ tier, projectedBytes }, { signal }): Promise<AdmissionTicket> => {
      if (!Number.isSafeInteger(projectedBytes) || projectedBytes < 0) {
        throw invalidParam(COMMAND, "projectedBytes", "whole bytes, 0 or more", projectedBytes);
      }
      const known = names();
      if (!known.includes(tier)) {
        throw unavailable(tier, `there is no such tier; tiers: ${known.join(", ") || "none"}`);
      }
      const { usedBytes, capacityBytes, detected } = await readFresh(tier, signal);
      const maxPressureBasisPoints = DEFAULT_MAX_PRESSURE_BASIS_POINTS;
      try {
        ensureProjectedDiskCapacity({
          tier,
          usedBytes,
          capacityBytes,
          projectedBytes,
          detected,
          maxPressureBasisPoints,
        });
      } catch (error) {
        if (error instanceof ResourceAdmissionError) {
          throw new RequestError(error.message, error.detail, { cause: error });
        }
        throw error;
      }
      return {
        ticketId: randomUUID(),
        tier,
        projectedBytes,
        // Nothing is held for the caller yet, so nothing ends either.
        reservedBytes: 0,
        usedBytes,
        capacityBytes,
        maxPressureBasisPoints,
        grantedAtMs: nowMs(),
        expiresAtMs: null,
      };
    },
  };

  return {
    ...QUIET_MODULE,
    name: "admission",
    essential: false,
    priority: 30,
    commandPrefixes: ["system/resource-"],
    handlers,
  };
}

function unavailable(tier: string, reason: string, cause?: unknown): RequestError {
  const shown = tier.slice(0, 100);
  const text = `tier ${shown} is not available: ${reason}`;
  return new RequestError(text, { kind: "tierUnavailable", tier: shown, reason }, { cause });
}
