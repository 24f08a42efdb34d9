/** How bytes are cut into writes: all at once, one by one, in pieces of a length, or in two at a position. */
export type Split = "whole" | "everyByte" | number | { readonly at: number };

/** The pieces of `bytes`, in order, none of them empty; together they are `bytes`. */
export function splitBytes(bytes: Buffer, split: Split): Buffer[] {
  if (bytes.length === 0) return [];
  if (split === "whole") return [bytes];
  if (typeof split === "object") {
    return [bytes.subarray(0, split.at), bytes.subarray(split.at)].filter((piece) => piece.length > 0);
  }
  const length = split === "everyByte" ? 1 : split;
  const pieces: Buffer[] = [];
  for (let start = 0; start < bytes.length; start += length)
    pieces.push(bytes.subarray(start, start + length));
  return pieces;
}
