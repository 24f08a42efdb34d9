import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConnectionError } from "./connection-error.js";
import { type Endpoint, type Environment, resolveCoreDirectory } from "./endpoint.js";

/** Where the token for a core on TCP is. */
export type TokenSource =
  | { readonly kind: "given"; readonly token: string }
  /** Read anew for each connection: a core that was started again may have another one. */
  | { readonly kind: "file"; readonly path: string; readonly isRequired: boolean };

/** More than any token is: a path that names something else is noticed, not read. */
const MAX_TOKEN_CHARS = 4096;

/**
 * Where the token for `endpoint` is: `token`, else `CONTINUUM_TOKEN`, else the file named by `CONTINUUM_TOKEN_FILE`, else, for
 * a core on this machine, the file that a core of this user makes. Null for a Unix socket, whose own rights decide, and
 * for another machine without any of them: what is this user's own is sent nowhere else.
 */
export function toTokenSource(endpoint: Endpoint, env: Environment, token?: string): TokenSource | null {
  if (endpoint.kind === "unix") return null;
  const given = token ?? env["CONTINUUM_TOKEN"];
  if (given !== undefined && given !== "") return { kind: "given", token: given };
  const path = env["CONTINUUM_TOKEN_FILE"];
  if (path !== undefined && path !== "") return { kind: "file", path: resolve(path), isRequired: true };
  if (!isThisMachine(endpoint.host)) return null;
  return { kind: "file", path: join(resolveCoreDirectory(env), "token"), isRequired: false };
}

/** The token at its source; null where the core's own file isn't there. Throws a ConnectionError `denied` for a file that can't be used. */
export function readToken(source: TokenSource): string | null {
  if (source.kind === "given") return source.token;
  const { path, isRequired } = source;
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    const errno = cause instanceof Error && "code" in cause ? String(cause.code) : "unreadable";
    if (!isRequired && errno === "ENOENT") return null;
    throw new ConnectionError("denied", `can't read the core's token in ${path} (${errno})`, { cause });
  }
  if (text === "" || text.length > MAX_TOKEN_CHARS) {
    throw new ConnectionError("denied", `${path} doesn't hold a core's token`);
  }
  return text;
}

/** What `readToken` gives for `endpoint`; null also where there is nothing to present. */
export function resolveToken(
  endpoint: Endpoint,
  env: Environment = process.env,
  token?: string,
): string | null {
  const source = toTokenSource(endpoint, env, token);
  return source === null ? null : readToken(source);
}

/** Also the addresses that a core listens on for everybody: connecting to them stays on this machine. */
function isThisMachine(host: string): boolean {
  return /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|0\.0\.0\.0|::1|::)$/u.test(host);
}
