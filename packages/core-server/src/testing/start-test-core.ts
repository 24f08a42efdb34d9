import { join } from "node:path";
import { resolveConfig } from "../config/resolve-config.js";
import { type Core, type CoreOptions, createCore } from "../core.js";
import { FakeDockerPool } from "./fake-docker-pool.js";
import { RawClient } from "./raw-client.js";
import { tempDirectory } from "./temp-directory.js";

/** A core of a test's own, on a socket of its own, with everything it opened. */
export interface TestCore extends AsyncDisposable {
  readonly core: Core;
  readonly pool: FakeDockerPool;
  readonly socketPath: string;
  connect(): Promise<RawClient>;
}

/** Starts a core over a fake tier that is half full; closes everything at the end of the scope. */
export async function startTestCore(
  options: CoreOptions & { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<TestCore> {
  const { env, ...coreOptions } = options;
  const home = await tempDirectory();
  const pool = new FakeDockerPool({ usedBytes: 50_000, capacityBytes: 100_000 });
  const config = resolveConfig({}, { CONTINUUM_HOME: home.path, ...env });
  const core = createCore(config, { dockerPool: pool, ...coreOptions });
  const clients: RawClient[] = [];
  const socketPath = join(home.path, "core.sock");
  await core.start();
  return {
    core,
    pool,
    socketPath,
    connect: async () => {
      const client = await RawClient.connect(socketPath);
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await core.stop();
      await home[Symbol.asyncDispose]();
    },
  };
}
