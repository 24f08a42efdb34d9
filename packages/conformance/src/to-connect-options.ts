import { resolveEndpoint } from "@continuum/ipc-client/address";
import type { NetConnectOpts } from "node:net";

/** What `net.connect` takes for a core's URL. Throws an EndpointError for one that names none. */
export function toConnectOptions(url: string): NetConnectOpts {
  const endpoint = resolveEndpoint({}, url);
  return endpoint.kind === "unix" ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
}
