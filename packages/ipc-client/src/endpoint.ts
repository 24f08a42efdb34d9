import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { EndpointError } from "./endpoint-error.js";

/** Where a core listens. `url` is its canonical spelling: equal for equal endpoints. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string; readonly url: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number; readonly url: string };

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The kernel's limit for a socket's path is 108 bytes on Linux and 104 on macOS, with the final zero. */
const MAX_SOCKET_PATH_BYTES = 103;

/**
 * The endpoint that `url` names, else `CONTINUUM_CORE_URL`, else the default socket: `core.sock` in `$CONTINUUM_HOME`,
 * else in `$XDG_RUNTIME_DIR/continuum`, else in `~/.continuum`. Takes `unix:///PATH`, a bare path, and
 * `tcp://HOST:PORT`; throws an EndpointError for anything else.
 */
export function resolveEndpoint(env: Environment = process.env, url?: string): Endpoint {
  const text = url ?? env["CONTINUUM_CORE_URL"];
  if (text === undefined || (text === "" && url === undefined))
    return unixEndpoint(join(resolveCoreDirectory(env), "core.sock"), "");
  if (text.startsWith("tcp://")) return tcpEndpoint(text);
  if (text.startsWith("unix://")) return unixEndpoint(text.slice("unix://".length), text);
  if (text === "" || /^[a-z][a-z\d+.-]*:\/\//iu.test(text)) {
    throw new EndpointError("badScheme", text, "a path, unix:///PATH or tcp://HOST:PORT");
  }
  return unixEndpoint(resolve(text), text);
}

/** Where a core of this user has its socket and its token, unless it was told otherwise. */
export function resolveCoreDirectory(env: Environment): string {
  const own = env["CONTINUUM_HOME"];
  if (own !== undefined && own !== "") return resolve(own);
  const runtime = env["XDG_RUNTIME_DIR"];
  // A relative value is to be ignored, says the XDG base directory specification.
  if (runtime !== undefined && isAbsolute(runtime)) return join(runtime, "continuum");
  return join(homedir(), ".continuum");
}

function unixEndpoint(path: string, url: string): Endpoint {
  if (!isAbsolute(path) || path.endsWith("/") || path.includes("\0")) {
    throw new EndpointError("badPath", url || path, "the absolute path of a socket");
  }
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw new EndpointError("badPath", url || path, `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes`);
  }
  return { kind: "unix", path, url: `unix://${path}` };
}

function tcpEndpoint(text: string): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : null;
  const hasMore = url !== null && (url.username || url.password || url.search || url.hash);
  if (url === null || hasMore || url.hostname === "" || url.pathname.length > 1 || !(Number(url.port) > 0)) {
    throw new EndpointError("badAddress", text, "tcp://HOST:PORT");
  }
  const host = url.hostname.replace(/^\[|\]$/gu, "");
  return { kind: "tcp", host, port: Number(url.port), url: `tcp://${url.hostname}:${url.port}` };
}
