import {
  type Clock,
  DEFAULT_MAX_PRESSURE_BASIS_POINTS,
  ensureProjectedDiskCapacity,
  type PoolReading,
  ResourceAdmissionError,
} from "@continuum/broker-core";
import type { AdmissionTicket } from "@continuum/wire-types";
import { randomUUID } from "node:crypto";
import { toErrorText } from "../error-text.js";
import { invalidParam, RequestError } from "../request-error.js";
import { MAX_RESERVATIONS, Reservations } from "../reservations.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "system/resource-admit" | "system/resource-release";

const COMMAND = "system/resource-admit";
/** A day: who needs longer asks again. */
const MAX_TTL_MS = 86_400_000;

/** What admission needs of the tiers. */
export interface AdmissionTiers {
  /** The tiers that exist. */
  readonly names: () => readonly string[];
  /** A fresh reading of one of them; null when it has just gone. */
  readonly read: (name: string, signal: AbortSignal) => Promise<PoolReading | null>;
  readonly clock: Clock;
}

/**
 * Answers `system/resource-admit`: whether a tier can take more bytes, by a reading made for the question and by what was
 * promised to others; and `system/resource-release`, which takes such a promise back.
 */
export function createAdmissionModule({ names, read, clock }: AdmissionTiers): ServiceModuleFor<Commands> {
  const reservations = new Reservations(clock);
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
    "system/resource-admit": async (
      { tier, projectedBytes, ttlMs = null },
      { signal, connection },
    ): Promise<AdmissionTicket> => {
      if (!Number.isSafeInteger(projectedBytes) || projectedBytes < 0) {
        throw invalidParam(COMMAND, "projectedBytes", "whole bytes, 0 or more", projectedBytes);
      }
      if (ttlMs !== null && !(Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= MAX_TTL_MS)) {
        throw invalidParam(COMMAND, "ttlMs", `whole milliseconds from 1 to ${MAX_TTL_MS}`, ttlMs);
      }
      // Bytes that are reserved are refused to others: who may only read reserves none.
      const holdsMs = connection.access === "admin-only" ? ttlMs : null;
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
          reservedBytes: reservations.reservedBytes(tier),
          detected,
          maxPressureBasisPoints,
        });
      } catch (error) {
        if (error instanceof ResourceAdmissionError) {
          throw new RequestError(error.message, error.detail, { cause: error });
        }
        throw error;
      }
      const ticketId = randomUUID();
      if (holdsMs !== null) {
        if (reservations.isFull) throw tooMany();
        reservations.hold(ticketId, { tier, bytes: projectedBytes }, holdsMs);
      }
      const grantedAtMs = clock.nowMs();
      return {
        ticketId,
        tier,
        projectedBytes,
        reservedBytes: holdsMs === null ? 0 : projectedBytes,
        usedBytes,
        capacityBytes,
        maxPressureBasisPoints,
        grantedAtMs,
        expiresAtMs: holdsMs === null ? null : grantedAtMs + holdsMs,
      };
    },
    "system/resource-release": ({ ticketId }) => {
      const released = reservations.release(ticketId);
      return { ticketId, released: released !== null, releasedBytes: released?.bytes ?? 0 };
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

function tooMany(): RequestError {
  const reason = `${MAX_RESERVATIONS} tickets hold bytes already`;
  return new RequestError(`overloaded: ${reason}`, { kind: "overloaded", reason });
}

function unavailable(tier: string, reason: string, cause?: unknown): RequestError {
  const shown = tier.slice(0, 100);
  const text = `tier ${shown} is not available: ${reason}`;
  return new RequestError(text, { kind: "tierUnavailable", tier: shown, reason }, { cause });
}
