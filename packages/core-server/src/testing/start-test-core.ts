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
  /** Its directory, removed at the end. */
  readonly home: string;
  /** Connects to where it listens, or to another socket of its. */
  connect(path?: string): Promise<RawClient>;
}

/** Starts a core over a fake tier that is half full; closes everything at the end of the scope. */
export async function startTestCore(
  options: CoreOptions & {
    /** Beside `CONTINUUM_HOME`; `HOME` in a value stands for it. */
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<TestCore> {
  const { env = {}, ...coreOptions } = options;
  const home = await tempDirectory();
  const pool = new FakeDockerPool({ usedBytes: 50_000, capacityBytes: 100_000 });
  const given = Object.entries(env).map(([name, value]) => [name, value.replace("HOME", home.path)]);
  const config = resolveConfig(
    {},
    { CONTINUUM_HOME: home.path, ...(Object.fromEntries(given) as typeof env) },
  );
  const core = createCore(config, { dockerPool: pool, ...coreOptions });
  const clients: RawClient[] = [];
  const socketPath = join(home.path, "core.sock");
  try {
    await core.start();
  } catch (error) {
    await home[Symbol.asyncDispose]();
    throw error;
  }
  return {
    core,
    pool,
    socketPath,
    home: home.path,
    connect: async (path) => {
      const { protocol, hostname, port } = new URL(core.endpoint);
      const isTcp = path === undefined && protocol === "tcp:";
      const target = isTcp ? { host: hostname, port: Number(port) } : (path ?? socketPath);
      const client = await RawClient.connect(target);
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
