/** What schemas or specs have wrong: which file, what it is, and what would be right. Nothing is written then. */
export class GenerateError extends Error {
  override readonly name = "GenerateError";

  /** `file` is null when the message names files itself, a line for each problem. */
  constructor(file: string | null, message: string, options?: { readonly cause?: unknown }) {
    super(file === null ? message : `${file}: ${message}`, options);
  }
}
