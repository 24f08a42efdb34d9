import { chmod } from "node:fs/promises";
import type { NetConnectOpts, Server } from "node:net";
import { CoreError } from "../core-error.js";
import { toErrorText } from "../error-text.js";
import { type Endpoint, formatEndpoint } from "./endpoint.js";
import { askRunningCore, type EndpointState } from "./running-core.js";
import {
  bindingPath,
  errorCode,
  prepareSocketDirectory,
  publishFile,
  statIfThere,
  unlinkIfOurs,
  unlinkIfThere,
} from "./socket-file.js";
import { withStartLock } from "./start-lock.js";

/** How often a starting core tries again when others come and go at the same moment. */
const ATTEMPTS = 10;

/** Who may open a Unix socket. */
export interface SocketRights {
  readonly mode: number;
  /** Of its directory, where the core makes it. */
  readonly directoryMode: number;
}

/** Only the owner. */
export const OWNER_RIGHTS: SocketRights = { mode: 0o600, directoryMode: 0o700 };

/** The owner, and the group that the socket or its directory belongs to. */
export const GROUP_RIGHTS: SocketRights = { mode: 0o660, directoryMode: 0o750 };

/** An endpoint that is being listened on. */
export interface Listening {
  /** With the port that the system chose, where 0 was asked for. */
  readonly endpoint: Endpoint;
  /**
   * Removes the socket file if it is still ours. To be called while the server still listens: nobody replaces a
   * socket that answers, so what is looked at is what is removed. Closing the server is the caller's business.
   */
  release(): Promise<void>;
}

/**
 * Makes `server` listen on `endpoint`, exactly one core at a time.
 *
 * A Unix socket is bound under a name of its own, given its rights (0600 unless told otherwise), and only then linked to its public name,
 * which fails if that exists: so two cores that start at once can't both win, nobody can connect before the rights
 * are set, and a core that ends can't remove another one's socket. A socket that nobody answers on is replaced.
 * Throws a CoreError: `alreadyRunning`, naming the other one, or `listen`.
 */
export function listen(
  server: Server,
  endpoint: Endpoint,
  rights: SocketRights = OWNER_RIGHTS,
): Promise<Listening> {
  return endpoint.kind === "unix" ? listenUnix(server, endpoint, rights) : listenTcp(server, endpoint);
}

async function listenUnix(
  server: Server,
  endpoint: Endpoint & { kind: "unix" },
  { mode, directoryMode }: SocketRights,
): Promise<Listening> {
  const { path } = endpoint;
  await prepareSocketDirectory(path, { isOwned: endpoint.ownsDirectory, mode: directoryMode });
  const boundPath = bindingPath(path);
  try {
    await unlinkIfThere(boundPath);
    await bind(server, { path: boundPath });
    await chmod(boundPath, mode);
    const ours = await statIfThere(boundPath);
    if (ours === null) throw new CoreError("listen", `${boundPath} vanished while starting`);
    await claim(boundPath, endpoint);
    return { endpoint, release: () => unlinkIfOurs(path, ours) };
  } catch (error) {
    server.close();
    // What failed first is told; a file that is left is replaced by the next core.
    await unlinkIfThere(boundPath).catch(() => undefined);
    throw asListenError(error, endpoint);
  }
}

/**
 * Gives the bound socket its public name. A socket in the way is removed only under the lock, and only after nobody
 * answered on it there: nothing can take its place in between, because a link never replaces what exists.
 */
async function claim(boundPath: string, endpoint: Endpoint & { kind: "unix" }): Promise<void> {
  const { path } = endpoint;
  if (await publishFile(boundPath, path)) return;
  await ensureReplaceable(endpoint);
  await withStartLock(`${path}.lock`, async () => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      await ensureReplaceable(endpoint);
      await unlinkIfThere(path);
      if (await publishFile(boundPath, path)) return;
    }
    throw new CoreError("listen", `${path} changes all the time: are several cores starting?`);
  });
}

/**
 * Looks whether a core answers on an endpoint already, before anything else is opened that only one core may have. Throws a
 * CoreError `alreadyRunning`; whatever else is in the way is said by `listen`.
 */
export async function ensureNoCoreAt(endpoint: Endpoint): Promise<void> {
  if (endpoint.kind === "tcp" && endpoint.port === 0) return;
  const target =
    endpoint.kind === "unix" ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  const state = await askRunningCore(target).catch((): EndpointState => ({ kind: "free" }));
  if (state.kind === "taken" && state.pid !== null) throw alreadyRunning(endpoint, state.pid);
}

async function ensureReplaceable(endpoint: Endpoint & { kind: "unix" }): Promise<void> {
  const there = await statIfThere(endpoint.path);
  if (there === null) return;
  if (!there.isSocket()) throw new CoreError("listen", `${endpoint.path} exists and is not a socket`);
  const state = await askRunningCore({ path: endpoint.path });
  if (state.kind === "taken") throw alreadyRunning(endpoint, state.pid);
}

async function listenTcp(server: Server, endpoint: Endpoint & { kind: "tcp" }): Promise<Listening> {
  const { host, port } = endpoint;
  try {
    await bind(server, { host, port });
  } catch (error) {
    if (errorCode(error) === "EADDRINUSE") {
      const state = await askRunningCore({ host, port }).catch((): EndpointState => ({ kind: "free" }));
      if (state.kind === "taken" && state.pid !== null) throw alreadyRunning(endpoint, state.pid);
    }
    throw asListenError(error, endpoint);
  }
  const address = server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  return { endpoint: { ...endpoint, port: actual }, release: () => Promise.resolve() };
}

function bind(server: Server, target: NetConnectOpts): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(target, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function alreadyRunning(endpoint: Endpoint, pid: number | null): CoreError {
  const who = pid === null ? "something that does not answer health-check" : `a core with pid ${pid}`;
  return new CoreError("alreadyRunning", `${who} is already running on ${formatEndpoint(endpoint)}`);
}

function asListenError(error: unknown, endpoint: Endpoint): CoreError {
  return error instanceof CoreError
    ? error
    : new CoreError("listen", `can't listen on ${formatEndpoint(endpoint)}: ${toErrorText(error)}`, {
        cause: error,
      });
}
