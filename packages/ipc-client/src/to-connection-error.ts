import { ConnectionError, type ConnectionErrorCode } from "./connection-error.js";
import { type Endpoint, resolveEndpoint } from "./endpoint.js";

const codes: Readonly<Record<string, ConnectionErrorCode>> = {
  ECONNREFUSED: "refused",
  // The core's backlog is full.
  EAGAIN: "refused",
  EHOSTUNREACH: "refused",
  ENETUNREACH: "refused",
  ENOENT: "notFound",
  ENOTDIR: "notFound",
  ENOTFOUND: "notFound",
  EAI_AGAIN: "notFound",
  EACCES: "denied",
  EPERM: "denied",
  ETIMEDOUT: "timeout",
};

/** Converts an error of a socket. Without a connection, the text says what is missing and how to start a core. */
export function toConnectionError(error: Error, endpoint: Endpoint, wasOpen: boolean): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const errno = "code" in error && typeof error.code === "string" ? error.code : "";
  if (wasOpen) {
    return new ConnectionError(
      "closed",
      `the connection to ${endpoint.url} broke: ${errno || error.message}`,
      {
        cause: error,
      },
    );
  }
  const code = codes[errno] ?? "closed";
  return new ConnectionError(code, describe(code, errno || error.message, endpoint), { cause: error });
}

function describe(code: ConnectionErrorCode, reason: string, endpoint: Endpoint): string {
  switch (code) {
    case "refused":
    case "notFound":
      return `no core is running on ${endpoint.url} (${reason}); start it with: ${startCommand(endpoint)}`;
    case "denied":
      return `no right to connect to ${endpoint.url} (${reason}); the core belongs to another user`;
    default:
      return `can't connect to ${endpoint.url}: ${reason}`;
  }
}

/** What starts a core on this endpoint, from the project or from anywhere. */
function startCommand(endpoint: Endpoint): string {
  if (isUsual(endpoint)) return "npm start (or continuum-core)";
  const socket = endpoint.kind === "unix" ? endpoint.path : endpoint.url;
  return `npm start -- --socket ${socket} (or continuum-core --socket ${socket})`;
}

/** Whether a core that is started in this environment listens there by itself. */
function isUsual(endpoint: Endpoint): boolean {
  try {
    return resolveEndpoint(process.env).url === endpoint.url;
  } catch {
    // A CONTINUUM_CORE_URL that can't be used leads nowhere.
    return false;
  }
}
