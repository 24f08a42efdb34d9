const MARK = "…";

/** A text of at most `max` UTF-16 units, no character cut in two; what is missing is marked. */
export function shorten(text: string, max: number): string {
  if (text.length <= max) return text;
  let end = Math.max(0, max - MARK.length);
  const last = text.charCodeAt(end - 1);
  // A high surrogate without its low one.
  if (last >= 0xd800 && last <= 0xdbff) end -= 1;
  return text.slice(0, end) + MARK;
}
