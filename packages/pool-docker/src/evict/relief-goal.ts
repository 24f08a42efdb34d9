import { type Clock, PoolError } from "@continuum/broker-core";
import type { DetectedMeasurement, DockerMeasurement } from "../probe/docker-measurement.js";

/** What the goal is measured with. */
export interface ReliefGoalOptions {
  /** A measurement that begins when it is called. */
  readonly measure: () => Promise<DockerMeasurement>;
  readonly clock: Clock;
  /** How long a filesystem may take to show what was deleted. */
  readonly settleMs: number;
}

/** How far an eviction has come, by measuring the disk and not by what the engine claims. */
export class ReliefGoal {
  readonly #options: ReliefGoalOptions;
  readonly #source: DetectedMeasurement["source"];
  readonly #startBytes: number;
  readonly #wantBytes: number;
  #usedBytes: number;
  #claimedBytes = 0;

  private constructor(options: ReliefGoalOptions, before: DetectedMeasurement, wantBytes: number) {
    this.#options = options;
    this.#source = before.source;
    this.#startBytes = before.usedBytes;
    this.#usedBytes = before.usedBytes;
    this.#wantBytes = wantBytes;
  }

  /** Measures the start; throws a PoolError when that can't be had. */
  static async begin(options: ReliefGoalOptions, wantBytes: number): Promise<ReliefGoal> {
    return new ReliefGoal(options, requireFresh(await options.measure()), wantBytes);
  }

  /** Bytes still to be freed, at least 0. */
  get remainingBytes(): number {
    return Math.max(0, this.#wantBytes - this.freedBytes);
  }

  /**
   * Bytes freed so far. A virtual machine's disk image gives space back late, after all is over perhaps: there the
   * engine's claims count too, so that not everything is deleted while waiting for it.
   */
  get freedBytes(): number {
    const measuredBytes = this.#startBytes - this.#usedBytes;
    return this.#source === "diskImage" ? Math.max(measuredBytes, this.#claimedBytes) : measuredBytes;
  }

  /** What was claimed so far. */
  get claimedBytes(): number {
    return this.#claimedBytes;
  }

  /** Notes a deletion and measures; gives what it freed by measurement (which others' writes may lessen). */
  async after(claimedBytes: number): Promise<number> {
    const beforeBytes = this.#usedBytes;
    this.#claimedBytes += claimedBytes;
    await this.#measure();
    if (this.#source === "engineRoot" && beforeBytes - this.#usedBytes < claimedBytes / 2) {
      // Some filesystems free blocks in the background.
      await new Promise<void>((resolve) => this.#options.clock.setTimeout(resolve, this.#options.settleMs));
      await this.#measure();
    }
    return beforeBytes - this.#usedBytes;
  }

  async #measure(): Promise<void> {
    this.#usedBytes = requireFresh(await this.#options.measure()).usedBytes;
  }
}

function requireFresh(measurement: DockerMeasurement): DetectedMeasurement {
  if (measurement.kind !== "detected") {
    throw new PoolError("notFound", `Docker's disk can't be measured: ${measurement.reason}`);
  }
  if (measurement.stale) throw new PoolError("timeout", "Docker's disk can't be measured now: it hangs");
  return measurement;
}
