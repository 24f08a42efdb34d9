import { expect } from "vitest";
import { connectRaw, type RawPeer } from "./raw-peer.js";

/** A client that behaves, beside those that don't. `await using` closes it. */
export class HealthyPeer implements AsyncDisposable {
  #id = 0;

  private constructor(private readonly peer: RawPeer) {}

  static async connect(socketPath: string): Promise<HealthyPeer> {
    return new HealthyPeer(await connectRaw(socketPath));
  }

  /** Holds that the core answers a request of its within `withinMs`, and as the next frame. */
  async expectAnswer(withinMs?: number): Promise<void> {
    this.#id += 1;
    this.peer.send(`{"command":"health-check","requestId":${this.#id}}\n`);
    expect(await this.peer.next(withinMs)).toMatchObject({
      success: true,
      requestId: this.#id,
      result: { healthy: true },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.peer[Symbol.asyncDispose]();
  }
}
