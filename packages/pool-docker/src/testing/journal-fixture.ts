import { ManualClock } from "@continuum/broker-core/testing";
import { silentLog } from "../docker-log.js";
import { UseJournal } from "../journal/use-journal.js";
import { MemoryUseStore } from "../journal/use-store.js";
import { ScriptedEngine } from "./scripted-engine.js";

/** When the clock of a fixture begins, Unix milliseconds. */
export const START_MS = 1_700_000_000_000;
/** An hour, in ms. */
export const HOUR = 3_600_000;

/** Resolves once all that was to come of an event at once has come. */
export const flushed = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** A journal that follows a scripted engine by a clock that the test moves. `await using` ends it. */
export class JournalFixture implements AsyncDisposable {
  readonly clock = new ManualClock(START_MS);
  readonly engine = new ScriptedEngine(this.clock);
  readonly store = new MemoryUseStore();
  journal = this.#open();

  /** Starts the journal over an engine that has images of these names, each with a tag `NAME:1` and a layer `l-NAME`. */
  static async start(images: readonly string[]): Promise<JournalFixture> {
    const fixture = new JournalFixture();
    for (const id of images) fixture.engine.images_.set(id, { tags: [`${id}:1`], layers: [`l-${id}`] });
    fixture.journal.start();
    await flushed();
    return fixture;
  }

  /** As when the core restarts: another journal with the same store. */
  async restart(): Promise<void> {
    await this.journal.close();
    this.journal = this.#open();
    this.journal.start();
    await flushed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.journal.close();
  }

  #open(): UseJournal {
    return new UseJournal({
      locate: () => Promise.resolve(this.engine.isDown ? null : { id: "E", engine: this.engine }),
      store: this.store,
      clock: this.clock,
      log: silentLog,
      random: () => 0,
    });
  }
}
