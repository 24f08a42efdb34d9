/** One line of an image's history, from the base up. */
export interface HistoryLine {
  readonly createdBy: string;
  readonly sizeBytes: number;
}

/**
 * Bytes of each layer of an image, from the base up; null where its history doesn't tell them apart.
 *
 * The engine lists lines that made a layer and lines that only changed the configuration alike, and says nothing of which
 * is which: a line with bytes made a layer, and one without may have made an empty one.
 */
export function toLayerBytes(history: readonly HistoryLine[], layerCount: number): readonly number[] | null {
  if (history.length === layerCount) return history.map(({ sizeBytes }) => sizeBytes);
  const filled = history.filter(({ sizeBytes }) => sizeBytes > 0);
  if (filled.length === layerCount) return filled.map(({ sizeBytes }) => sizeBytes);
  const likely = history.filter((line) => line.sizeBytes > 0 || makesFiles(line.createdBy));
  return likely.length === layerCount ? likely.map(({ sizeBytes }) => sizeBytes) : null;
}

/** Whether a line's instruction makes a layer, be it an empty one: as BuildKit writes it, or the older builder. */
function makesFiles(createdBy: string): boolean {
  const instruction = /#\(nop\)\s+(\w+)/.exec(createdBy)?.[1];
  if (instruction !== undefined) return ["ADD", "COPY", "WORKDIR"].includes(instruction);
  return /^(RUN|ADD|COPY|WORKDIR)\b|^(\|\d+ .*)?\/bin\/sh -c /.test(createdBy);
}
