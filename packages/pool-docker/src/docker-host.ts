import { join } from "node:path";

/** Where an engine listens. */
export type DockerEndpoint =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** A Docker host that can't be used; the message says what can. */
export class DockerHostError extends Error {
  override readonly name = "DockerHostError";

  constructor(
    readonly code: "unsupportedScheme" | "invalid",
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
  }
}

const USABLE = "use unix:///path/to/docker.sock, an absolute path, or tcp://host:port";
const DEFAULT_TCP_PORT = 2375;

/** Reads `unix:///path`, a bare absolute path, or `tcp://host:port` (plain HTTP); throws a DockerHostError. */
export function parseDockerHost(text: string): DockerEndpoint {
  const given = text.trim();
  if (given.startsWith("/")) return { kind: "unix", path: given };
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given)?.[1]?.toLowerCase();
  if (scheme === undefined) throw new DockerHostError("invalid", `"${text}" is no Docker host: ${USABLE}`);
  switch (scheme) {
    case "unix": {
      const path = given.slice("unix://".length);
      if (path.startsWith("/")) return { kind: "unix", path };
      throw new DockerHostError("invalid", `"${text}" needs an absolute path: unix:///path/to/docker.sock`);
    }
    case "tcp":
    case "http":
      return parseTcp(given, text);
    default:
      throw new DockerHostError(
        "unsupportedScheme",
        `Docker hosts of the kind ${scheme}:// are not supported ("${text}"): ${USABLE}`,
      );
  }
}

function parseTcp(given: string, text: string): DockerEndpoint {
  let url: URL;
  try {
    // With a scheme that URL knows, so that IPv6 hosts and ports are checked.
    url = new URL(given.replace(/^[a-z]+:/i, "http:"));
  } catch (cause) {
    throw new DockerHostError("invalid", `"${text}" is no address: ${USABLE}`, { cause });
  }
  if (url.hostname === "" || url.username !== "" || !["", "/"].includes(url.pathname) || url.search !== "") {
    throw new DockerHostError("invalid", `"${text}" must be a host and a port alone: tcp://host:port`);
  }
  // `URL` drops the port that is http's default, 80.
  const isEighty = /:80\/?$/.test(given);
  const port = url.port === "" ? (isEighty ? 80 : DEFAULT_TCP_PORT) : Number(url.port);
  return { kind: "tcp", host: url.hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

/** An endpoint as people write it. */
export function formatDockerEndpoint(endpoint: DockerEndpoint): string {
  if (endpoint.kind === "unix") return `unix://${endpoint.path}`;
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return `tcp://${host}:${endpoint.port}`;
}

/** Where engines usually listen, the likeliest first: system, rootless, Docker Desktop on macOS and on Linux, Podman. */
export function candidateEndpoints(
  home: string,
  env: Readonly<Record<string, string | undefined>>,
): readonly DockerEndpoint[] {
  const runtimeDir = env["XDG_RUNTIME_DIR"];
  return [
    "/var/run/docker.sock",
    ...(runtimeDir === undefined || runtimeDir === "" ? [] : [join(runtimeDir, "docker.sock")]),
    join(home, ".docker/run/docker.sock"),
    join(home, ".docker/desktop/docker.sock"),
    // Podman's compatible API, system and rootless.
    "/run/podman/podman.sock",
    ...(runtimeDir === undefined || runtimeDir === "" ? [] : [join(runtimeDir, "podman/podman.sock")]),
  ].map((path) => ({ kind: "unix", path }));
}
