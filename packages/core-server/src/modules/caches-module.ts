import { invalidParam } from "../request-error.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import { QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";
import type { CacheLedgerStore } from "../state/cache-ledger.js";

type Commands = "system/cache-evict-history";

const DEFAULT_RECORDS = 100;
const MAX_RECORDS = 1_000;

/** What the module works with; the ledger is the caller's. */
export interface CachesModuleOptions {
  readonly ledger: CacheLedgerStore;
  readonly isDurable: () => boolean;
}

/** Answers what was deleted from cache directories, and how it comes back. */
export function createCachesModule({ ledger, isDurable }: CachesModuleOptions): ServiceModuleFor<Commands> {
  const handlers: Pick<CommandHandlers, Commands> = {
    "system/cache-evict-history": ({ limit = DEFAULT_RECORDS, beforeSequence, pool }) => {
      requireWhole("limit", limit, 1, MAX_RECORDS);
      if (beforeSequence !== undefined) {
        requireWhole("beforeSequence", beforeSequence, 0, Number.MAX_SAFE_INTEGER);
      }
      const records = [...ledger.deletions({ limit, beforeSequence, pool })];
      const nextBeforeSequence = records.length === limit ? (records.at(-1)?.sequence ?? null) : null;
      return { records, nextBeforeSequence, durable: isDurable() };
    },
  };
  return {
    ...QUIET_MODULE,
    name: "caches",
    priority: 25,
    essential: false,
    commandPrefixes: ["system/cache-"],
    handlers,
  };
}

function requireWhole(path: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  const expected = `a whole number from ${min} to ${max}`;
  throw invalidParam("system/cache-evict-history", path, expected, value);
}
