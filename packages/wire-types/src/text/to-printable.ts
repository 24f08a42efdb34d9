/** Text of another process as it may go to a terminal: on one line, without control characters, in the order of reading. */
export function toPrintable(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, " ");
}
