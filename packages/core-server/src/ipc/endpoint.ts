import { isIP } from "node:net";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { CoreError } from "../core-error.js";

/** Where the core listens. */
export type Endpoint =
  | { readonly kind: "unix"; readonly path: string; readonly ownsDirectory: boolean }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

type Env = Readonly<Record<string, string | undefined>>;

/** The kernel's limit for a socket's path is 108 bytes on Linux and 104 on macOS, with the final zero. */
const MAX_SOCKET_PATH_BYTES = 103;

/** The directory of a core's socket and token: `$CONTINUUM_HOME`, else `$XDG_RUNTIME_DIR/continuum`, else `~/.continuum`. */
export function resolveCoreDirectory(env: Env, home: string = homedir()): string {
  const own = env["CONTINUUM_HOME"];
  if (own !== undefined && own !== "") return resolve(own);
  const runtime = env["XDG_RUNTIME_DIR"];
  // A relative value is to be ignored, says the XDG base directory specification.
  if (runtime !== undefined && isAbsolute(runtime)) return join(runtime, "continuum");
  return join(home, ".continuum");
}

/**
 * The directory of what outlives a core and a reboot: `state` in `$CONTINUUM_HOME`, else `continuum` in
 * `$XDG_STATE_HOME`, else in `~/.local/state`.
 */
export function defaultStateDirectory(env: Env, home: string = homedir()): string {
  const own = env["CONTINUUM_HOME"];
  if (own !== undefined && own !== "") return join(resolve(own), "state");
  const state = env["XDG_STATE_HOME"];
  const base = state !== undefined && isAbsolute(state) ? state : join(home, ".local/state");
  return join(base, "continuum");
}

/** The endpoint that is used when nothing names one; its directory belongs to the core. */
export function defaultEndpoint(env: Env, home?: string): Endpoint {
  const path = join(resolveCoreDirectory(env, home), "core.sock");
  return { ...unixEndpoint(path, "the core's directory"), ownsDirectory: true };
}

/**
 * Decodes `unix:///path`, a bare path, or `tcp://host:port` as given in `source` (a flag or a variable, for the error).
 * Throws a CoreError `usage` for anything else, and for an address beyond loopback unless `anywhere` says so.
 */
export function decodeEndpoint(text: string, source: string, { anywhere = false } = {}): Endpoint {
  if (text.startsWith("tcp://")) return tcpEndpoint(text, source, anywhere);
  if (text.startsWith("unix://")) return unixEndpoint(text.slice("unix://".length), source);
  if (/^[a-z][a-z\d+.-]*:\/\//iu.test(text) || text === "") {
    throw unusable(source, text, "a path, unix:///PATH or tcp://HOST:PORT");
  }
  return unixEndpoint(resolve(text), source);
}

/** The endpoint as a URL, as clients take it in `CONTINUUM_CORE_URL`. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") return `unix://${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}

/** Decodes a Unix socket alone: a path or `unix:///path`. Throws a CoreError `usage` for anything else. */
export function decodeSocketPath(text: string, source: string): Endpoint & { kind: "unix" } {
  const endpoint = text.startsWith("tcp://") ? null : decodeEndpoint(text, source);
  if (endpoint?.kind !== "unix") throw unusable(source, text, "a path or unix:///PATH");
  return endpoint;
}

/** Whether only this machine can reach the endpoint. */
export function isLocal(endpoint: Endpoint): boolean {
  return endpoint.kind === "unix" || isLoopback(endpoint.host);
}

function unixEndpoint(path: string, source: string): Endpoint & { kind: "unix" } {
  if (!isAbsolute(path)) throw unusable(source, path, "an absolute path");
  if (path.endsWith("/") || path.includes("\0")) throw unusable(source, path, "the path of a socket");
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) {
    throw unusable(
      source,
      path,
      `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes (a limit of the system's)`,
    );
  }
  return { kind: "unix", path, ownsDirectory: false };
}

function tcpEndpoint(text: string, source: string, anywhere: boolean): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : null;
  const hasMore = url !== null && (url.username || url.password || url.search || url.hash);
  if (url === null || url.hostname === "" || url.port === "" || hasMore || url.pathname.length > 1) {
    throw unusable(source, text, "tcp://HOST:PORT");
  }
  const host = url.hostname.replace(/^\[|\]$/gu, "");
  if (!isLoopback(host)) {
    if (!anywhere) {
      const rule = "a loopback address (127.0.0.1, ::1 or localhost), or --listen-anywhere beside it";
      throw unusable(source, text, rule);
    }
    if (isIP(host) === 0) throw unusable(source, text, "an address in digits, such as tcp://0.0.0.0:PORT");
  }
  // Not left to the resolver: a hosts file could send the name elsewhere.
  return { kind: "tcp", host: host === "localhost" ? "127.0.0.1" : host, port: Number(url.port) };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/u.test(host);
}

function unusable(source: string, got: string, expected: string): CoreError {
  return new CoreError("usage", `${source}: got ${JSON.stringify(got)}, expected ${expected}`);
}
