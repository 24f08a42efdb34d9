import { systemClock } from "@continuum/broker-core";
import { EngineClient } from "../engine/engine-client.js";
import { StubEngine } from "./stub-engine.js";

/** A stub of an engine and a client of it, on a real socket and a real clock. */
export class StubClient implements AsyncDisposable {
  readonly client: EngineClient;

  private constructor(readonly stub: StubEngine) {
    this.client = new EngineClient({ kind: "unix", path: stub.socketPath }, systemClock);
  }

  static async start(): Promise<StubClient> {
    return new StubClient(await StubEngine.start());
  }

  /** Ends the client, then the engine. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    await this.stub.stop();
  }
}
