import {
  type AlertMessage,
  type BrokerSnapshot,
  decodeAlertMessage,
  decodeBrokerSnapshot,
  decodeEvictionEvent,
  decodePoolEvictRequest,
  decodePressureAlert,
  type EvictionEvent,
  type PoolEvictRequest,
  type PressureAlert,
} from "@continuum/wire-types";

/** What each event of the core carries. */
export interface CoreEvents {
  /** The raw alert of each round of relief. */
  "pressure-alert": PressureAlert;
  /** The broker's state after each round's readings. */
  "pressure-state": BrokerSnapshot;
  /** How each round of relief ended. */
  eviction: EvictionEvent;
  /** The few messages that people are told. */
  "alert-message": AlertMessage;
  /** What the core asks of a pool that was registered over this connection. */
  "pool-evict": PoolEvictRequest;
}

/** The name of an event that the core pushes. */
export type EventName = keyof CoreEvents;

/** How each event's data is decoded; each throws a DecodeError. */
export const eventDecoders: { readonly [E in EventName]: (data: unknown) => CoreEvents[E] } = {
  "pressure-alert": decodePressureAlert,
  "pressure-state": decodeBrokerSnapshot,
  eviction: decodeEvictionEvent,
  "alert-message": decodeAlertMessage,
  "pool-evict": decodePoolEvictRequest,
};

/** Whether this version knows an event of this name. */
export function isEventName(name: string): name is EventName {
  return Object.hasOwn(eventDecoders, name);
}
