import { hasSpareProcessor } from "./has-spare-processor.js";
import { LoopSpin } from "./loop-spin.js";

export { LoopSpin, type LoopSpinPort } from "./loop-spin.js";

/** A LoopSpin of this process: real time, loop and machine. */
export function createLoopSpin(): LoopSpin {
  return new LoopSpin({
    nowMs: () => performance.now(),
    defer: (run) => void setImmediate(run),
    hasSpareProcessor,
  });
}
