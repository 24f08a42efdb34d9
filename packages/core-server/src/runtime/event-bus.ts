import type { ReliefOutcome } from "@continuum/broker-core";
import type { AlertMessage, BrokerSnapshot, PressureAlert } from "@continuum/wire-types";
import type { Logger } from "pino";
import { toErrorText } from "../error-text.js";

/** What happens inside a core, by name; each carries plain data that nobody changes. */
export interface CoreEvents {
  /** A pool was relieved, or couldn't be: the raw alert of the contract. */
  "pressure-alert": PressureAlert;
  /** What stands behind that alert, in full. */
  "relief-outcome": ReliefOutcome;
  /** What people are told of an episode of pressure. */
  "alert-message": AlertMessage;
  /** The state after a round's readings. */
  "broker-state": BrokerSnapshot;
}

/** The name of an event inside the core. */
export type CoreEventName = keyof CoreEvents;

/** One event with its name, as a module's `onEvent` gets it. */
export type CoreEvent = {
  [N in CoreEventName]: { readonly name: N; readonly data: CoreEvents[N] };
}[CoreEventName];

type Listener = (event: CoreEvent) => void;

/** Carries events between modules and to the faces, in order; a listener that throws is logged and harms no other. */
export class EventBus {
  readonly #listeners = new Map<CoreEventName, Set<Listener>>();

  constructor(private readonly log: Logger) {}

  /** Calls `listener` for every later event of these names; gives the function that ends it. */
  subscribe(names: readonly CoreEventName[], listener: Listener): () => void {
    // A wrapper of its own, so that the same function subscribed twice is also ended one at a time.
    const own: Listener = (event) => listener(event);
    for (const name of names) {
      const listeners = this.#listeners.get(name) ?? new Set();
      this.#listeners.set(name, listeners.add(own));
    }
    return () => {
      for (const name of names) this.#listeners.get(name)?.delete(own);
    };
  }

  /** Tells every listener of `event.name`, synchronously. */
  publish(event: CoreEvent): void {
    for (const listener of [...(this.#listeners.get(event.name) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        this.log.error({ err: error, event: event.name }, `an event listener failed: ${toErrorText(error)}`);
      }
    }
  }
}
