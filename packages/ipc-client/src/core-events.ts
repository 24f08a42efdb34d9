import { decodePressureAlert, type PressureAlert } from "@continuum/wire-types";

/** What each event of the core carries. */
export interface CoreEvents {
  "pressure-alert": PressureAlert;
}

/** The name of an event that the core pushes. */
export type EventName = keyof CoreEvents;

/** How each event's data is decoded; each throws a DecodeError. */
export const eventDecoders: { readonly [E in EventName]: (data: unknown) => CoreEvents[E] } = {
  "pressure-alert": decodePressureAlert,
};

/** Whether this version knows an event of this name. */
export function isEventName(name: string): name is EventName {
  return Object.hasOwn(eventDecoders, name);
}
