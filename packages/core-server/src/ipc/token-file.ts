import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { CoreError } from "../core-error.js";
import { toErrorText } from "../error-text.js";
import {
  bindingPath,
  prepareSocketDirectory,
  publishFile,
  statIfThere,
  unlinkIfThere,
} from "./socket-file.js";

/** Where the token of a core on TCP comes from. */
export type TokenSource =
  | { readonly kind: "given"; readonly token: string }
  /** `source` is the flag or variable that named the file, for the error. */
  | { readonly kind: "file"; readonly path: string; readonly source: string }
  /** The core's own file, which it makes when it isn't there. */
  | { readonly kind: "own"; readonly path: string };

/** A token, and the file that holds it; null when it came from the environment. */
export interface CoreToken {
  readonly token: string;
  readonly path: string | null;
}

/** What a token must be: said where one isn't, without repeating it. */
export const TOKEN_RULE = "a token of 16 to 1024 visible ASCII characters";

const RANDOM_BYTES = 32;
const MAX_FILE_BYTES = 4096;

/** Whether a text can be a token. */
export function isToken(text: string): boolean {
  return /^[\x21-\x7e]{16,1024}$/u.test(text);
}

/**
 * The token of a core. Makes the core's own file (0600, 32 random bytes) where there is none. Throws a CoreError `usage` for a
 * file that others may read, that isn't this user's, or that holds no token.
 */
export async function resolveToken(source: TokenSource): Promise<CoreToken> {
  if (source.kind === "given") return { token: source.token, path: null };
  const name = source.kind === "file" ? source.source : "the core's token";
  const { path } = source;
  try {
    if (source.kind === "own" && (await statIfThere(path)) === null) await makeTokenFile(path);
    return { token: await readTokenFile(path, name), path };
  } catch (error) {
    if (error instanceof CoreError) throw error;
    throw new CoreError("usage", `${name}: can't use ${path}: ${toErrorText(error)}`, { cause: error });
  }
}

async function readTokenFile(path: string, name: string): Promise<string> {
  // Rights are looked at on what was opened: the path may mean something else a moment later.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > MAX_FILE_BYTES) {
      throw new CoreError("usage", `${name}: ${path} is no file with a token`);
    }
    if ((stats.mode & 0o077) !== 0) {
      throw new CoreError("usage", `${name}: others may read ${path}: chmod 600 ${path}`);
    }
    const uid = process.getuid?.();
    if (uid !== undefined && uid !== 0 && stats.uid !== uid) {
      throw new CoreError("usage", `${name}: ${path} belongs to another user (uid ${stats.uid})`);
    }
    const token = (await file.readFile("utf8")).trim();
    if (!isToken(token)) throw new CoreError("usage", `${name}: ${path} doesn't hold ${TOKEN_RULE}`);
    return token;
  } finally {
    await file.close();
  }
}

/** Makes the file whole or not at all: of two cores that start at once, the second reads what the first made. */
async function makeTokenFile(path: string): Promise<void> {
  await prepareSocketDirectory(path, { isOwned: true });
  const partPath = bindingPath(path);
  await unlinkIfThere(partPath);
  const file = await open(partPath, "wx", 0o600);
  try {
    await file.writeFile(`${randomBytes(RANDOM_BYTES).toString("base64url")}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  if (!(await publishFile(partPath, path))) await unlinkIfThere(partPath);
}
