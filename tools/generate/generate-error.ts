/** What a schema or a spec has wrong: which file, what it is, and what would be right. Nothing is written then. */
export class GenerateError extends Error {
  override readonly name = "GenerateError";

  constructor(
    readonly file: string,
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(`${file}: ${message}`, options);
  }
}
