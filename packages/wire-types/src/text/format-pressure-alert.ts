import type { PressureAlert } from "../gen/paging/PressureAlert.js";
import { formatBytesCompact } from "./format-bytes.js";

/**
 * The one-line text of an alert, as chat rooms show it. `tier=` is the pool, `severity=` the label.
 * `action` is `evicted` when relief freed something, `stuck` when it was tried and freed nothing, `none` when it wasn't tried.
 */
export function formatPressureAlert(alert: PressureAlert): string {
  const action = !alert.actionTaken ? "none" : alert.bytesFreed > 0 ? "evicted" : "stuck";
  return (
    `📢 PressureAlert tier=${alert.tierName} severity=${alert.tier} pressure=${alert.pressure.toFixed(2)}` +
    ` freed=${formatBytesCompact(alert.bytesFreed)} action=${action}`
  );
}
