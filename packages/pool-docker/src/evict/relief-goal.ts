import { type Clock, PoolError } from "@continuum/broker-core";
import {
  type DetectedMeasurement,
  type DockerMeasurement,
  requireDetected,
} from "../probe/docker-measurement.js";

/** What the goal is measured with. */
export interface ReliefGoalOptions {
  /** A measurement that begins when it is called. */
  readonly measure: () => Promise<DockerMeasurement>;
  readonly clock: Clock;
  /** How long a filesystem may take to show what was deleted. */
  readonly settleMs: number;
}

/** What is to be freed: bytes, inodes, or both. */
export interface WantedRelief {
  readonly wantBytes: number;
  readonly wantInodes: number;
}

/** How far an eviction has come, by measuring the disk and not by what the engine claims. */
export class ReliefGoal {
  readonly #options: ReliefGoalOptions;
  readonly #start: DetectedMeasurement;
  readonly #wanted: WantedRelief;
  #now: DetectedMeasurement;
  #claimedBytes = 0;

  private constructor(options: ReliefGoalOptions, before: DetectedMeasurement, wanted: WantedRelief) {
    this.#options = options;
    this.#start = before;
    this.#now = before;
    this.#wanted = wanted;
  }

  /** Measures the start; throws a PoolError when that can't be had. */
  static async begin(options: ReliefGoalOptions, wanted: WantedRelief): Promise<ReliefGoal> {
    return new ReliefGoal(options, requireFresh(await options.measure()), wanted);
  }

  /** Whether all that was wanted is free. */
  get isReached(): boolean {
    return this.remainingBytes === 0 && this.remainingInodes === 0;
  }

  /** Bytes still to be freed, at least 0. */
  get remainingBytes(): number {
    return Math.max(0, this.#wanted.wantBytes - this.freedBytes);
  }

  /** Inodes still to be freed, at least 0. */
  get remainingInodes(): number {
    const freed = (this.#start.inodes?.usedInodes ?? 0) - (this.#now.inodes?.usedInodes ?? 0);
    return Math.max(0, this.#wanted.wantInodes - freed);
  }

  /**
   * Bytes freed so far. A virtual machine's disk image gives space back late, after all is over perhaps: there the
   * engine's claims count too, so that not everything is deleted while waiting for it.
   */
  get freedBytes(): number {
    const { measuredBytes } = this;
    return this.#start.source === "diskImage" ? Math.max(measuredBytes, this.#claimedBytes) : measuredBytes;
  }

  /** How much less the disk holds than at the start; negative when others wrote more. */
  get measuredBytes(): number {
    return this.#start.usedBytes - this.#now.usedBytes;
  }

  /** What was claimed so far. */
  get claimedBytes(): number {
    return this.#claimedBytes;
  }

  /** The measurement that it began with. */
  get start(): DetectedMeasurement {
    return this.#start;
  }

  /** Notes a deletion and measures; gives what it freed by measurement (which others' writes may lessen). */
  async after(claimedBytes: number): Promise<number> {
    const beforeBytes = this.#now.usedBytes;
    this.#claimedBytes += claimedBytes;
    await this.#measure();
    if (this.#start.source === "engineRoot" && beforeBytes - this.#now.usedBytes < claimedBytes / 2) {
      // Some filesystems free blocks in the background.
      await new Promise<void>((resolve) => this.#options.clock.setTimeout(resolve, this.#options.settleMs));
      await this.#measure();
    }
    return beforeBytes - this.#now.usedBytes;
  }

  async #measure(): Promise<void> {
    this.#now = requireFresh(await this.#options.measure());
  }
}

function requireFresh(measurement: DockerMeasurement): DetectedMeasurement {
  const detected = requireDetected(measurement);
  if (detected.stale) throw new PoolError("timeout", "Docker's disk can't be measured now: it hangs");
  return detected;
}
