import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type ClientVector, decodeClientVectors } from "./client-vector.js";
import { type CoreVector, decodeCoreVectors } from "./core-vector.js";

const directory = join(import.meta.dirname, "../vectors");

/** Every vector for a core, by file and place. Throws what says where a file isn't one. */
export function readCoreVectors(): readonly CoreVector[] {
  return readAll("core", decodeCoreVectors);
}

/** Every vector for a client. */
export function readClientVectors(): readonly ClientVector[] {
  return readAll("client", decodeClientVectors);
}

function readAll<T>(kind: string, decode: (json: unknown) => readonly T[]): readonly T[] {
  const files = readdirSync(join(directory, kind))
    .filter((name) => name.endsWith(".json"))
    .sort();
  return files.flatMap((name) => {
    const path = join(directory, kind, name);
    try {
      return decode(JSON.parse(readFileSync(path, "utf8")));
    } catch (error) {
      throw new Error(`${kind}/${name} holds no vectors: ${String(error)}`, { cause: error });
    }
  });
}
