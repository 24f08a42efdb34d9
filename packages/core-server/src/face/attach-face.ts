import { systemClock } from "@continuum/broker-core";
import type { CoreConfig } from "../config/core-config.js";
import type { Core } from "../core.js";
import { ChangeLines } from "./change-lines.js";
import type { Screen } from "./screen.js";

/** Prints what happens in `core` on `screen`; gives the function that ends it. */
export function attachFace(core: Core, config: CoreConfig, screen: Screen): () => void {
  const changes = new ChangeLines(config, () => systemClock.monotonicMs());
  return core.events.subscribe(["broker-state", "relief-outcome", "alert-message"], (event) => {
    switch (event.name) {
      case "broker-state":
        for (const line of changes.onState(event.data)) screen.line(line);
        break;
      case "relief-outcome":
        for (const line of changes.onRelief(event.data)) screen.line(line);
        break;
      case "alert-message":
        for (const line of changes.onMessage(event.data)) screen.line(line);
        break;
      case "pressure-alert":
        return;
    }
    screen.refresh();
  });
}
