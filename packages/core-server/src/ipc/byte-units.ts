/** Text as a string whose units are the bytes of its UTF-8: what is written as `latin1`. All ASCII, it is the text itself. */
export function toByteUnits(text: string): string {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text, "utf8").toString("latin1");
}
