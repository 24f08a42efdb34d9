import { CommandError, ConnectionError, RustCoreIPCClient } from "@continuum/ipc-client";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startCore } from "./support/core-process.js";

const noEngine = ["--docker-host", "unix:///nonexistent/docker.sock"];

describe("a core killed with -9 under polling clients", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-e2e-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it(
    "every poll ends in a right answer or a typed error, and the clients find the new core",
    { timeout: 60_000 },
    async () => {
      const clients = [];
      const outcomes = { answered: 0, failed: [] as string[] };
      const stop = new AbortController();
      let core = await startCore({ home, args: noEngine });
      try {
        for (let i = 0; i < 5; i += 1) clients.push(new RustCoreIPCClient({ url: core.url }));
        const polling = clients.map(async (client) => {
          while (!stop.signal.aborted) {
            try {
              const stats = await client.dockerTierStats();
              expect(stats).toEqual({ capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false });
              outcomes.answered += 1;
            } catch (error) {
              if (!(error instanceof ConnectionError || error instanceof CommandError)) throw error;
              outcomes.failed.push(`${error.name} ${"code" in error ? error.code : ""}: ${error.message}`);
            }
          }
        });
        for (let round = 0; round < 5; round += 1) {
          const before = outcomes.answered;
          await progress(() => outcomes.answered > before + 20);
          await core.end("SIGKILL");
          core = await startCore({ home, args: noEngine });
          const after = outcomes.answered;
          await progress(() => outcomes.answered > after + 20);
        }
        stop.abort();
        await Promise.all(polling);
        // The only requests that may fail are those in flight at a kill, and these reads are retried.
        expect(outcomes.failed).toEqual([]);
        expect(outcomes.answered).toBeGreaterThan(100);
      } finally {
        stop.abort();
        for (const client of clients) await client.close();
        await core[Symbol.asyncDispose]();
      }
    },
  );
});

describe("a core that ends before it has read what was sent to it", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-e2e-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  // Killed, the system throws away what the core hadn't read; told to stop, the core finds it when it has begun to.
  it.each(["SIGKILL", "SIGTERM"] as const)(
    "by %s: what may be repeated is answered by the next one, the rest says that it may have been executed",
    { timeout: 60_000 },
    async (signal) => {
      const first = await startCore({ home, args: noEngine });
      await using client = new RustCoreIPCClient({ url: first.url });
      await client.healthCheck();
      process.kill(first.pid, "SIGSTOP");
      const polls = Array.from({ length: 40 }, () => client.dockerTierStats());
      const admissions = Array.from({ length: 40 }, () =>
        client.resourceAdmit({ tier: "docker", projectedBytes: 1 }).then(
          () => "admitted",
          (error: unknown) => error,
        ),
      );
      // They are in the core's socket.
      await new Promise(setImmediate);
      const ended = first.end(signal);
      process.kill(first.pid, "SIGCONT");
      await ended;
      await using second = await startCore({ home, args: noEngine });
      for (const stats of await Promise.all(polls)) expect(stats).toMatchObject({ detected: false });
      const kinds = new Set<string>();
      for (const error of await Promise.all(admissions)) {
        if (error instanceof ConnectionError) {
          expect(error).toMatchObject({ code: "closed", mayHaveExecuted: true });
          kinds.add("closed");
        } else {
          expect(error).toBeInstanceOf(CommandError);
          kinds.add((error as CommandError).errorDetail?.kind ?? "none");
        }
      }
      // Without an engine there is nothing to be admitted to: that is an answer.
      const typed = ["closed", "shuttingDown", "tierUnavailable"];
      expect([...kinds].filter((kind) => !typed.includes(kind))).toEqual([]);
      if (signal === "SIGKILL") expect([...kinds]).toEqual(["closed"]);
      expect((await client.healthCheck()).pid).toBe(second.pid);
    },
  );
});

async function progress(reached: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!reached()) {
    if (performance.now() > deadline) throw new Error("the clients made no progress for 20 s");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
