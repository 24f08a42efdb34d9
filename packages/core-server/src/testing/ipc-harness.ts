import { systemClock } from "@continuum/broker-core";
import { join } from "node:path";
import { pino } from "pino";
import { IpcServer, type IpcServerOptions } from "../ipc/ipc-server.js";
import { RequestError } from "../request-error.js";
import { RawClient } from "./raw-client.js";
import { tempDirectory } from "./temp-directory.js";

/** What answers the requests of a harness. */
export type Dispatch = IpcServerOptions["dispatch"];

/** A server on a socket of its own, what it logged, and clients that end with it. */
export interface Harness extends AsyncDisposable {
  readonly server: IpcServer;
  readonly path: string;
  readonly logged: Record<string, unknown>[];
  connect(halfOpen?: boolean): Promise<RawClient>;
}

/** Answers `echo` with its params, `fail` with a bug, `hang` never, `large` with `bytes` bytes. */
export const echo: Dispatch = async (command, params, { signal, connection }) => {
  switch (command) {
    case "echo":
      return params;
    case "fail":
      throw new TypeError("cannot read\n    at secret.ts:1");
    case "refuse":
      throw new RequestError("no such tier", { kind: "tierUnavailable", tier: "x", reason: "r" });
    case "unencodable":
      return { value: 1n };
    case "large":
      return "x".repeat(Number(params["bytes"]));
    case "subscribe":
      connection.subscribe("pressure-alert");
      return connection.subscriptions;
    default:
      return new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error)),
      );
  }
};

/** Starts a server for a test; `echo` answers unless the options say otherwise. */
export async function serve(options: Partial<IpcServerOptions> = {}): Promise<Harness> {
  const directory = await tempDirectory();
  const path = join(directory.path, "s.sock");
  const logged: Record<string, unknown>[] = [];
  const log = pino(
    { level: "debug" },
    { write: (line) => void logged.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const server = new IpcServer({
    endpoint: { kind: "unix", path, ownsDirectory: true },
    dispatch: echo,
    clock: systemClock,
    log,
    ...options,
  });
  await server.listen();
  const clients: RawClient[] = [];
  return {
    server,
    path,
    logged,
    connect: async (halfOpen = false) => {
      const client = await RawClient.connect(path, halfOpen);
      clients.push(client);
      return client;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(clients.map((client) => client.close()));
      await server.close(0);
      await directory[Symbol.asyncDispose]();
    },
  };
}
