import { PoolError } from "@continuum/broker-core";

/** Reads bytes of a file; fewer than asked for at its end. */
export type ReadBytes = (offset: number, length: number) => Promise<Uint8Array>;

const KIB = 1024;
const REGION_TABLES = [192 * KIB, 256 * KIB];
const REGION_TABLE_BYTES = 64 * KIB;
const METADATA_TABLE_BYTES = 64 * KIB;
const MAX_ENTRIES = 2047;
const ENTRY_BYTES = 32;
/** As they stand in the file: the first three parts of a GUID are little-endian. */
const METADATA_REGION = guid("8b7ca206-4790-4b9a-b8fe-575f050f886e");
const VIRTUAL_DISK_SIZE = guid("2fa54224-cd1b-4876-b211-5dbed83bf4b8");
/** The format allows no larger disk: 64 TiB. */
const MAX_DISK_BYTES = 64 * 2 ** 40;

/**
 * The size of the disk that a VHDX file holds, in bytes: what it may grow to, where its own length is what it ever
 * reached. By Microsoft's "Virtual Hard Disk v2 (VHDX) File Format" (MS-VHDX): file identifier, region table (the second
 * one where the first is damaged), metadata table.
 *
 * Throws a PoolError `protocol` for anything else.
 */
export async function readVhdxDiskBytes(read: ReadBytes): Promise<number> {
  const identifier = await readExactly(read, 0, 8);
  if (identifier.toString("latin1") !== "vhdxfile") throw bad("it doesn't begin as one");
  const metadata = await findMetadataRegion(read);
  const table = await readExactly(read, metadata.offset, METADATA_TABLE_BYTES);
  if (table.toString("latin1", 0, 8) !== "metadata") throw bad("its metadata table doesn't begin as one");
  const count = table.readUInt16LE(10);
  if (count > MAX_ENTRIES) throw bad(`its metadata table counts ${count} entries`);
  for (let i = 0; i < count; i++) {
    const at = ENTRY_BYTES * (i + 1);
    if (!table.subarray(at, at + 16).equals(VIRTUAL_DISK_SIZE)) continue;
    const offset = table.readUInt32LE(at + 16);
    const length = table.readUInt32LE(at + 20);
    if (length !== 8 || offset < METADATA_TABLE_BYTES || offset + length > metadata.length) {
      throw bad("the size of its disk stands at an impossible place");
    }
    const bytes = (await readExactly(read, metadata.offset + offset, 8)).readBigUInt64LE();
    if (bytes === 0n || bytes > BigInt(MAX_DISK_BYTES) || bytes % 512n !== 0n) {
      throw bad(`its disk can't be of ${bytes} bytes`);
    }
    return Number(bytes);
  }
  throw bad("it doesn't say how large its disk is");
}

interface Region {
  readonly offset: number;
  readonly length: number;
}

async function findMetadataRegion(read: ReadBytes): Promise<Region> {
  let why = "";
  for (const at of REGION_TABLES) {
    const table = await readExactly(read, at, REGION_TABLE_BYTES);
    if (table.toString("latin1", 0, 4) !== "regi") {
      why = "its region table doesn't begin as one";
      continue;
    }
    const sum = table.readUInt32LE(4);
    // The sum is taken with its own place as zeros.
    table.writeUInt32LE(0, 4);
    if (crc32c(table) !== sum) {
      why = "the sum of its region table is wrong";
      continue;
    }
    const count = table.readUInt32LE(8);
    if (count > MAX_ENTRIES) throw bad(`its region table counts ${count} entries`);
    for (let i = 0; i < count; i++) {
      const entry = 16 + ENTRY_BYTES * i;
      if (!table.subarray(entry, entry + 16).equals(METADATA_REGION)) continue;
      const offset = table.readBigUInt64LE(entry + 16);
      const length = table.readUInt32LE(entry + 24);
      const isPossible = offset >= BigInt(1024 * KIB) && offset <= BigInt(Number.MAX_SAFE_INTEGER - length);
      if (!isPossible || length < METADATA_TABLE_BYTES) throw bad("its metadata lies at an impossible place");
      return { offset: Number(offset), length };
    }
    throw bad("it has no metadata");
  }
  throw bad(why);
}

async function readExactly(read: ReadBytes, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.from(await read(offset, length));
  if (bytes.length < length) throw bad(`it ends before byte ${offset + length}`);
  return bytes;
}

function bad(why: string): PoolError {
  return new PoolError("protocol", `no usable VHDX file: ${why}`);
}

function guid(text: string): Buffer {
  const [a = "", b = "", c = "", d = "", e = ""] = text.split("-");
  const swapped = [a, b, c].map((part) => Buffer.from(part, "hex").reverse());
  return Buffer.concat([...swapped, Buffer.from(d + e, "hex")]);
}

/** CRC-32C (Castagnoli), bit by bit: it is taken of 64 KiB once in a while. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
