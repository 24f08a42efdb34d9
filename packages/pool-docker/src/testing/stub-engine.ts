import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One request as it came over the wire. */
export interface StubRequest {
  readonly method: string;
  /** Without the version, still encoded. */
  readonly path: string;
  readonly version: string | null;
  readonly rawQuery: string;
}

/** A reply: a status with a JSON body, or something that writes to the socket itself. */
export type StubReply =
  { readonly status?: number; readonly json: unknown } | { readonly raw: (response: ServerResponse) => void };

/** An engine on a unix socket that answers what a test tells it to, and records what was asked. */
export class StubEngine {
  readonly requests: StubRequest[] = [];
  apiVersion: string | null = "1.41";
  /** Gives the reply; null for 404. */
  answer: (request: StubRequest) => StubReply | null = () => null;
  readonly dir: string;
  readonly #server = createServer((request, response) => {
    this.#reply(request, response);
  });

  private constructor(dir: string) {
    this.dir = dir;
  }

  /** Makes a directory of its own and listens in it. */
  static async start(): Promise<StubEngine> {
    const stub = new StubEngine(await mkdtemp(join(tmpdir(), "stub-engine-")));
    await stub.listen();
    return stub;
  }

  get socketPath(): string {
    return join(this.dir, "docker.sock");
  }

  /** `METHOD /path?query` of every request but pings and infos. */
  get calls(): string[] {
    return this.requests
      .filter(({ path }) => path !== "/_ping" && path !== "/info")
      .map(({ method, path, rawQuery }) => `${method} ${path}${rawQuery === "" ? "" : `?${rawQuery}`}`);
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.socketPath, resolve));
  }

  /** Goes away as a killed engine does. */
  async kill(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  async stop(): Promise<void> {
    if (this.#server.listening) await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }

  #reply({ method = "", url = "" }: IncomingMessage, response: ServerResponse): void {
    const [full = "", rawQuery = ""] = url.split("?");
    const [, version = null, path = full] = /^\/v([\d.]+)(\/.*)$/.exec(full) ?? [];
    const request: StubRequest = { method, path, version, rawQuery };
    this.requests.push(request);
    if (path === "/_ping") {
      if (this.apiVersion !== null) response.setHeader("Api-Version", this.apiVersion);
      response.end("OK");
      return;
    }
    const reply = this.answer(request) ?? { status: 404, json: { message: `nothing at ${path}` } };
    if ("raw" in reply) {
      reply.raw(response);
      return;
    }
    response.statusCode = reply.status ?? 200;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(reply.json));
  }
}
