import {
  type Clock,
  observeEpisode,
  type PressureBroker,
  type ReliefOutcome,
  toBindingPressure,
  toEpisodePolicy,
} from "@continuum/broker-core";
import type { AlertConsumer, AlertMessage } from "@continuum/wire-types";
import { randomUUID } from "node:crypto";
import { EpisodeBook, type EpisodeStore } from "../alerts/episode-book.js";
import { toAlertMessage } from "../alerts/to-alert-message.js";
import type { CommandHandlers } from "../runtime/command-handlers.js";
import type { CoreEvent } from "../runtime/event-bus.js";
import { type ModuleContext, QUIET_MODULE, type ServiceModuleFor } from "../runtime/service-module.js";

type Commands = "system/pressure-broker-extension";

/** What the module works with. */
export interface AlertsModuleOptions {
  readonly broker: PressureBroker;
  readonly clock: Clock;
  readonly store: EpisodeStore;
  /** The pressure at which the episode of a pool begins that is gone; of one that is there it is where its relief does. */
  readonly actAbove: number;
  readonly isEvictionOn: boolean;
  /** What takes up most of a pool, as far as that is known already; nothing is gathered for it. */
  readonly biggestConsumer: (pool: string) => AlertConsumer | null;
  /** How long a pool of another process may be silent before it is gone, in ms; null for one that isn't such a pool. */
  readonly goneAfterMs: (pool: string) => number | null;
}

/** Makes of what the broker sees the few messages that people are told, and answers how all of it stands. */
export function createAlertsModule({
  broker,
  clock,
  store,
  actAbove,
  isEvictionOn,
  biggestConsumer,
  goneAfterMs,
}: AlertsModuleOptions): ServiceModuleFor<Commands> & {
  /** The last message of each open episode; those that an earlier core left open among them. */
  openMessages(): readonly AlertMessage[];
} {
  let book: EpisodeBook | null = null;
  let context: ModuleContext | null = null;

  const observe = (pool: string, relief: ReliefOutcome | null, isGone = false): void => {
    if (book === null) return;
    const reading = broker.reading(pool);
    const isKnown = reading !== null && reading.detected && !reading.stale;
    // A relief tells of the pressure that began it: what came of it is in the next reading.
    const pressure =
      relief !== null ? relief.alert.pressure : isKnown ? toBindingPressure(reading).pressure : null;
    const seen = {
      atMs: clock.monotonicMs(),
      pressure,
      relief:
        relief === null ? null : { freedBytes: relief.freedBytes, actionTaken: relief.alert.actionTaken },
      isGone,
    };
    const policy = toEpisodePolicy(broker.policy(pool) ?? { actAbove });
    const { episode, message: kind } = observeEpisode(book.get(pool), seen, policy, randomUUID);
    book.set(pool, episode, goneAfterMs(pool));
    if (kind === null || episode === null) return;
    const timeToFullMs = kind === "resolved" ? null : (broker.forecast(pool)?.timeToFullMs ?? null);
    const message = toAlertMessage(episode, {
      pool,
      kind,
      atMs: clock.nowMs(),
      startedAtMs: book.startedAtMs(pool),
      timeToFullMs,
      biggestConsumer: biggestConsumer(pool),
      isEvictionOn,
      isGone,
    });
    book.say(pool, message);
    context?.events.publish({ name: "alert-message", data: message });
  };

  const observeAll = (): void => {
    const names = new Set(broker.pools().map(({ name }) => name));
    for (const name of names) {
      book?.see(name);
      observe(name, null);
    }
    for (const name of book?.pools() ?? []) {
      if (!names.has(name) && book?.isAwaited(name) !== true) observe(name, null, true);
    }
  };
  const openMessages = (): readonly AlertMessage[] => book?.openMessages() ?? [];

  const handlers: Pick<CommandHandlers, Commands> = {
    "system/pressure-broker-extension": () => ({
      atMs: clock.nowMs(),
      snapshot: broker.snapshot(),
      forecasts: [...broker.forecasts()],
      relief: [...broker.relief()],
      episodes: [...openMessages()],
    }),
  };
  return {
    ...QUIET_MODULE,
    name: "alerts",
    priority: 12,
    essential: false,
    commandPrefixes: ["system/pressure-broker-extension"],
    eventSubscriptions: ["broker-state", "relief-outcome"],
    handlers,
    openMessages,
    start: (started: ModuleContext) => {
      context = started;
      book = new EpisodeBook(clock, store);
      return Promise.resolve();
    },
    onEvent: (event: CoreEvent) => {
      if (event.name === "broker-state") observeAll();
      else if (event.name === "relief-outcome") observe(event.data.pool, event.data);
    },
  };
}
