import type { CoreClientOptions } from "./core-client-options.js";
import { resolveEndpoint } from "./endpoint.js";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";
import { toTokenSource } from "./token.js";

const clients = new Map<string, RustCoreIPCClient>();

/** A client that others may hold as well; closing it takes it out of the cache. */
class SharedClient extends RustCoreIPCClient {
  constructor(
    private readonly key: string,
    options: CoreClientOptions,
  ) {
    super(options);
  }

  override async close(): Promise<void> {
    if (clients.get(this.key) === this) clients.delete(this.key);
    await super.close();
  }
}

/**
 * The client of an endpoint, shared by all who ask for the same endpoint with the same options. It connects at the
 * first request, and closing it closes it for all who hold it; the next call then gives a new one.
 * Throws an EndpointError for a URL that names none.
 */
export function connectCore({ url, env, token, ...options }: CoreClientOptions = {}): RustCoreIPCClient {
  const endpoint = resolveEndpoint(env, url);
  const source = toTokenSource(endpoint, env ?? process.env, token);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const key = JSON.stringify([endpoint.url, source, ...given.sort(([a], [b]) => (a < b ? -1 : 1))]);
  const shared = clients.get(key);
  if (shared !== undefined) return shared;
  const client = new SharedClient(key, { ...options, url: endpoint.url, env, token });
  clients.set(key, client);
  return client;
}
