import { systemClock } from "@continuum/broker-core";
import { toPrintable } from "@continuum/wire-types";
import type { CoreConfig } from "../config/core-config.js";
import type { Core } from "../core.js";
import { ChangeLines } from "./change-lines.js";
import type { Screen } from "./screen.js";

/** Prints what happens in `core` on `screen`; gives the function that ends it. */
export function attachFace(core: Pick<Core, "events">, config: CoreConfig, screen: Screen): () => void {
  // Names and reasons of images, files and other processes are in them.
  const print = (lines: readonly string[]): void => {
    for (const line of lines) screen.line(toPrintable(line));
  };
  const changes = new ChangeLines(config, () => systemClock.monotonicMs());
  return core.events.subscribe(["broker-state", "relief-outcome", "alert-message"], (event) => {
    switch (event.name) {
      case "broker-state":
        print(changes.onState(event.data));
        break;
      case "relief-outcome":
        print(changes.onRelief(event.data));
        break;
      case "alert-message":
        print(changes.onMessage(event.data));
        break;
      case "pressure-alert":
        return;
    }
    screen.refresh();
  });
}
