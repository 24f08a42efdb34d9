import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startTestCore } from "../testing/start-test-core.js";
import { tempDirectory } from "../testing/temp-directory.js";

describe("the caches module", () => {
  it("gives what was deleted from a cache, page by page, and says that it isn't kept", async () => {
    await using cache = await tempDirectory();
    for (const name of ["a", "b", "c"]) {
      const path = join(cache.path, name);
      await mkdir(path);
      await writeFile(join(path, "data"), Buffer.alloc(100_000, 1));
      await utimes(join(path, "data"), new Date(2001, 0), new Date(2001, 0));
    }
    const env = { CONTINUUM_CACHE_DIRS: `pkgs=${cache.path}@400KB`, CONTINUUM_CACHE_EVICT: "on" };
    await using core = await startTestCore({ env });
    const pool = core.core.broker.pools().find(({ name }) => name === "cache-pkgs");
    await pool?.evict({ wantBytes: 300_000, signal: new AbortController().signal });
    const client = await core.connect();
    const ask = async (params: Record<string, unknown>): Promise<unknown> => {
      client.request("system/cache-evict-history", 1, params);
      return (await client.next()).result;
    };
    const first = (await ask({ limit: 2 })) as { nextBeforeSequence: number };
    expect(first).toMatchObject({
      records: [
        { pool: "cache-pkgs", kind: "directory", outcome: "deleted", restoreCommand: null },
        { path: expect.stringContaining(cache.path) as string },
      ],
      durable: false,
    });
    const { nextBeforeSequence: beforeSequence } = first;
    expect(await ask({ limit: 2, beforeSequence })).toMatchObject({
      records: [{ sequence: beforeSequence - 1 }],
      nextBeforeSequence: null,
    });
    expect(await ask({ pool: "cache-other" })).toMatchObject({ records: [] });
  });

  it.each([
    [{ limit: 0 }, "limit"],
    [{ limit: 1_001 }, "limit"],
    [{ limit: 1.5 }, "limit"],
    [{ beforeSequence: -1 }, "beforeSequence"],
    [{ pool: 3 }, "pool"],
  ])("refuses %j by name", async (params, path) => {
    await using core = await startTestCore({});
    const client = await core.connect();
    client.request("system/cache-evict-history", 1, params);
    expect(await client.next()).toMatchObject({
      success: false,
      errorDetail: { kind: "invalidParams", path },
    });
  });
});
