import { createCipheriv, createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";

const CHUNK_BYTES = 1 << 20;
const BLOCK_BYTES = 512;

/** One file of an image: its path in it, its mode, and its content in chunks of `bytes` altogether. */
interface ImageFile {
  readonly path: string;
  readonly mode: number;
  readonly bytes: number;
  readonly content: Iterable<Uint8Array>;
}

/** Bytes that don't compress and are the same for the same seed: the key stream of a cipher. */
export function* incompressibleBytes(bytes: number, seed: string): Generator<Uint8Array> {
  const key = createHash("sha256").update(seed).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK_BYTES);
  for (let left = bytes; left > 0; left -= CHUNK_BYTES) {
    yield cipher.update(left >= CHUNK_BYTES ? zeros : zeros.subarray(0, left));
  }
}

/** The statically linked busybox as a file of an image, which makes the image runnable. */
export function busyboxFile(path = "/bin/busybox"): ImageFile {
  const content = readFileSync(path);
  return { path: "bin/busybox", mode: 0o755, bytes: content.length, content: [content] };
}

/** A tar archive of files, made while it is read: nothing is kept on disk. */
export function tarStream(files: readonly ImageFile[]): Readable {
  return Readable.from(tarChunks(files), { objectMode: false, highWaterMark: CHUNK_BYTES });
}

function* tarChunks(files: readonly ImageFile[]): Generator<Uint8Array> {
  for (const file of files) {
    yield tarHeader(file);
    yield* file.content;
    const rest = file.bytes % BLOCK_BYTES;
    if (rest > 0) yield Buffer.alloc(BLOCK_BYTES - rest);
  }
  yield Buffer.alloc(2 * BLOCK_BYTES);
}

/** A ustar header of a regular file owned by root with a fixed time, so that the same content is the same image layer. */
function tarHeader(file: ImageFile): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  header.write(file.path, 0, 100, "latin1");
  octal(file.mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(file.bytes, 124, 12);
  octal(1_600_000_000, 136, 12);
  header.write("        0", 148, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}
