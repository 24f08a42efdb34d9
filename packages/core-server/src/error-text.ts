/** The message of anything that can be thrown, on one line, without a stack. */
export function toErrorText(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s*\n\s*/gu, " ");
}
