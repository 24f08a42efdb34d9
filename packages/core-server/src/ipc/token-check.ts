import { createHash, timingSafeEqual } from "node:crypto";

/** Compares tokens with the core's, in a time that tells nothing of either; keeps only a digest of its own. */
export class TokenCheck {
  readonly #digest: Buffer;

  constructor(token: string) {
    this.#digest = digest(token);
  }

  /** Whether `candidate` is the token. */
  matches(candidate: string): boolean {
    return timingSafeEqual(digest(candidate), this.#digest);
  }
}

/** Of one length whatever the token's is, as a comparison in constant time needs it. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token, "utf8").digest();
}
