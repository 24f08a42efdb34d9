import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, lstat, mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { RawClient } from "../testing/raw-client.js";
import { tempDirectory } from "../testing/temp-directory.js";
import type { Endpoint } from "./endpoint.js";
import { ensureNoCoreAt, listen } from "./listener.js";
import { encodeFrame, toSuccess } from "./response-encoder.js";

/** A server that says of itself that it is a core with this pid. */
function coreLike(pid: number): Server {
  return createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => socket.write(encodeFrame(toSuccess(1, { healthy: true, pid }))));
  });
}

const unix = (path: string, ownsDirectory = true): Endpoint => ({ kind: "unix", path, ownsDirectory });

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  await once(server, "close");
}

/** Leaves a socket behind as a killed core does. */
async function leaveStaleSocket(path: string): Promise<void> {
  const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script], { stdio: "ignore" }), "exit");
  expect((await lstat(path)).isSocket()).toBe(true);
}

describe("listening on a socket", () => {
  it("makes the directory 0700 and the socket 0600, whatever the umask, and leaves nothing else there", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "new", "core.sock");
    const server = coreLike(1);
    const listening = await listen(server, unix(path));
    expect((await lstat(join(home.path, "new"))).mode & 0o777).toBe(0o700);
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(home.path, "new"))).toEqual(["core.sock"]);
    const client = await RawClient.connect(path);
    await client.close();
    await listening.release();
    await closed(server);
    expect(await readdir(join(home.path, "new"))).toEqual([]);
  });

  it("tightens its own directory, and leaves one that a person chose", async () => {
    await using home = await tempDirectory();
    for (const [name, owned, mode] of [
      ["own", true, 0o700],
      ["chosen", false, 0o755],
    ] as const) {
      await mkdir(join(home.path, name));
      await chmod(join(home.path, name), 0o755);
      const server = coreLike(1);
      const listening = await listen(server, unix(join(home.path, name, "s"), owned));
      expect((await lstat(join(home.path, name))).mode & 0o777).toBe(mode);
      await listening.release();
      await closed(server);
    }
  });

  it("names the core that runs already, and leaves it alone", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "core.sock");
    const first = coreLike(4711);
    const listening = await listen(first, unix(path));
    await expect(listen(coreLike(2), unix(path))).rejects.toMatchObject({
      code: "alreadyRunning",
      message: expect.stringMatching(/pid 4711.*core\.sock/u) as string,
    });
    const client = await RawClient.connect(path);
    expect(await client.call("health-check", 1)).toMatchObject({ result: { pid: 4711 } });
    await client.close();
    await listening.release();
    await closed(first);
    expect(await readdir(home.path)).toEqual([]);
  });

  it("replaces a socket that a killed core left", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "core.sock");
    await leaveStaleSocket(path);
    const server = coreLike(3);
    const listening = await listen(server, unix(path));
    const client = await RawClient.connect(path);
    expect(await client.call("health-check", 1)).toMatchObject({ result: { pid: 3 } });
    await client.close();
    await listening.release();
    await closed(server);
  });

  it("never replaces what is no socket", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "core.sock");
    await writeFile(path, "precious");
    await expect(listen(coreLike(1), unix(path))).rejects.toMatchObject({ code: "listen" });
    expect(await readdir(home.path)).toEqual(["core.sock"]);
  });

  it("lets exactly one of many win that start at once over a stale socket", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "core.sock");
    for (let round = 0; round < 10; round += 1) {
      await leaveStaleSocket(path);
      const servers = Array.from({ length: 8 }, (_, index) => coreLike(index + 1));
      const results = await Promise.allSettled(servers.map((server) => listen(server, unix(path))));
      const winners = results.flatMap((result, index) =>
        result.status === "fulfilled" ? [{ pid: index + 1, listening: result.value }] : [],
      );
      expect(winners).toHaveLength(1);
      const client = await RawClient.connect(path);
      expect(await client.call("health-check", 1)).toMatchObject({ result: { pid: winners[0]?.pid } });
      await client.close();
      expect(await readdir(home.path)).toEqual(["core.sock"]);
      await winners[0]?.listening.release();
      await Promise.all(servers.map(closed));
    }
  });

  it("isn't kept from starting by the lock of a core that was killed while it started", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "core.sock");
    await leaveStaleSocket(path);
    const gone = spawn(process.execPath, ["-e", ""], { stdio: "ignore" });
    await once(gone, "exit");
    await writeFile(`${path}.lock`, String(gone.pid));
    const server = coreLike(1);
    const listening = await listen(server, unix(path));
    expect(await readdir(home.path)).toEqual(["core.sock"]);
    await listening.release();
    await closed(server);
  });

  it("removes no socket but its own", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "core.sock");
    const first = coreLike(1);
    const firstListening = await listen(first, unix(path));
    // As if the first had been taken for dead and replaced.
    await firstListening.release();
    const second = coreLike(2);
    const secondListening = await listen(second, unix(path));
    await firstListening.release();
    await closed(first);
    const client = await RawClient.connect(path);
    expect(await client.call("health-check", 1)).toMatchObject({ result: { pid: 2 } });
    await client.close();
    await secondListening.release();
    await closed(second);
  });
});

describe("listening on TCP", () => {
  it("names the core that has the port", async () => {
    const server = coreLike(815);
    const { endpoint } = await listen(server, { kind: "tcp", host: "127.0.0.1", port: 0 });
    await expect(listen(coreLike(1), endpoint)).rejects.toMatchObject({
      code: "alreadyRunning",
      message: expect.stringContaining("pid 815") as string,
    });
    await closed(server);
  });
});

describe("a look before anything is opened", () => {
  it("names the core that answers, and passes where none does", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "core.sock");
    await ensureNoCoreAt(unix(path));
    await leaveStaleSocket(path);
    await ensureNoCoreAt(unix(path));
    const endpoints = [unix(path), { kind: "tcp", host: "127.0.0.1", port: 0 }] as const;
    for (const asked of endpoints) {
      const server = coreLike(815);
      const listening = await listen(server, asked);
      const { endpoint } = listening;
      await expect(ensureNoCoreAt(endpoint)).rejects.toMatchObject({
        code: "alreadyRunning",
        message: expect.stringContaining("pid 815") as string,
      });
      await listening.release();
      await closed(server);
      await ensureNoCoreAt(endpoint);
    }
  });
});
