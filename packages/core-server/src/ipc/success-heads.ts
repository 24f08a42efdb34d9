import { toByteUnits } from "./byte-units.js";

/**
 * What a reply with a result begins with, up to the request's id, in units that are bytes. That of the last frozen result
 * is kept: a thousand polls between two readings get the same text, and making it costs more than the rest of a reply.
 * Freezing a result is how its handler says that neither it nor what is in it changes.
 */
export class SuccessHeads {
  #result: unknown = null;
  #head = "";

  /** The head of a result's reply. Throws as `JSON.stringify` does. */
  of(result: unknown): string {
    if (result === this.#result && result !== null) return this.#head;
    const json = JSON.stringify(result) as string | undefined;
    if (json === undefined) return '{"success":true';
    const head = `{"success":true,"result":${toByteUnits(json)}`;
    if (typeof result === "object" && Object.isFrozen(result)) {
      this.#result = result;
      this.#head = head;
    }
    return head;
  }
}
