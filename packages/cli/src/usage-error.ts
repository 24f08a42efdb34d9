/** What was typed can't be used; the text says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}
