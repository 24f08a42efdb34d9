import { describe, expect, it } from "vitest";
import { toLayerBytes } from "./layer-bytes.js";

const line = (createdBy: string, sizeBytes = 0) => ({ createdBy, sizeBytes });

describe("toLayerBytes", () => {
  it("takes each line where all of them made layers", () => {
    expect(toLayerBytes([line("", 5), line("touch", 0)], 2)).toEqual([5, 0]);
    expect(toLayerBytes([], 0)).toEqual([]);
  });

  it("leaves out what only changed the configuration", () => {
    const history = [line("ADD rootfs.tar / # buildkit", 100), line('CMD ["sh"]'), line("RUN make", 7)];
    expect(toLayerBytes(history, 2)).toEqual([100, 7]);
  });

  it("tells empty layers from lines that made none by their instruction, of both builders", () => {
    const buildKit = [
      line("COPY . . # buildkit", 9),
      line("WORKDIR /app"),
      line("ENV A=1"),
      line("RUN true", 0),
    ];
    expect(toLayerBytes(buildKit, 3)).toEqual([9, 0, 0]);
    const older = [
      line("/bin/sh -c #(nop) ADD file:1 in / ", 9),
      line("/bin/sh -c #(nop) WORKDIR /app"),
      line('/bin/sh -c #(nop)  CMD ["sh"]'),
      line("|1 a=b /bin/sh -c true"),
      line("/bin/sh -c make", 3),
    ];
    expect(toLayerBytes(older, 4)).toEqual([9, 0, 0, 3]);
  });

  it("doesn't guess: more or fewer lines than layers are unknown", () => {
    expect(toLayerBytes([line("", 5), line("", 6)], 1)).toBeNull();
    expect(toLayerBytes([line("<missing>"), line("?"), line("", 6)], 2)).toBeNull();
    expect(toLayerBytes([], 2)).toBeNull();
  });
});
