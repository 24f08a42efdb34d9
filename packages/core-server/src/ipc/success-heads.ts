/**
 * JSON of results, of which that of the last frozen one is kept: a thousand polls between two readings get the same text,
 * and making it costs more than the rest of a reply. Freezing a result is how its handler says that neither it nor what
 * is in it changes.
 */
export class KeptJson {
  #result: unknown = null;
  #json = "";

  /** The JSON of a result; undefined for one that has none. Throws as `JSON.stringify` does. */
  of(result: unknown): string | undefined {
    if (result === this.#result && result !== null) return this.#json;
    const json = JSON.stringify(result) as string | undefined;
    if (json !== undefined && typeof result === "object" && Object.isFrozen(result)) {
      this.#result = result;
      this.#json = json;
    }
    return json;
  }
}
