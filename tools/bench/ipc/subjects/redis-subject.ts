import { Redis } from "ioredis";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { type BenchServer, type BenchSubject, fail, type PayloadName } from "../bench-subject.js";
import { RESULTS } from "../payloads.js";

/** ioredis against redis-server: the reply's JSON text is the value of a key. */
export const redisSubject = createRedisSubject(false);

/** The same with commands of one turn in one write. */
export const redisAutoPipeliningSubject = createRedisSubject(true);

function createRedisSubject(enableAutoPipelining: boolean): BenchSubject {
  return {
    startServer,
    startClient: async (socketPath) => {
      const redis = new Redis({ path: socketPath, enableAutoPipelining, lazyConnect: true });
      await redis.connect();
      return {
        issue: (done) => {
          redis.get("reply").then((text) => {
            JSON.parse(text ?? fail("no reply"));
            done();
          }, fail);
        },
        close: () => {
          redis.disconnect();
          return Promise.resolve();
        },
      };
    },
  };
}

async function startServer(socketPath: string, payload: PayloadName): Promise<BenchServer> {
  const server = await startRedis(socketPath);
  const redis = new Redis({ path: socketPath });
  await redis.set("reply", JSON.stringify({ success: true, result: RESULTS[payload], requestId: 1 }));
  await redis.quit();
  return server;
}

/** Starts a redis-server of its own, that keeps nothing and ends with this process. */
export async function startRedis(socketPath: string): Promise<BenchServer> {
  const child = spawn(
    "redis-server",
    ["--port", "0", "--unixsocket", socketPath, "--save", "", "--appendonly", "no"],
    { stdio: "ignore" },
  );
  child.on("error", fail);
  process.on("exit", () => child.kill());
  for (let tries = 0; !existsSync(socketPath); tries += 1) {
    if (tries > 500) fail("redis-server doesn't start");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    pid: child.pid ?? fail("redis-server has no pid"),
    close: () =>
      new Promise((resolve) => {
        child.once("exit", () => resolve());
        child.kill();
      }),
  };
}
