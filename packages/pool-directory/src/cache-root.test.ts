import { rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CacheRootError, DirectoryCachePool } from "./index.js";
import { addRevision, exists, makeFile, poolAt, tempDirectory } from "./testing/cache-fixtures.js";

const never = new AbortController().signal;
const KIB = 1024;

describe("what can be a cache's root", () => {
  it.each([
    ["relative", "isn't an absolute path"],
    ["/", "is the root of a filesystem"],
    [homedir(), "is a home directory or above one"],
    [join(homedir(), ".."), "not a cache"],
    ["/nonexistent/cache", "isn't there"],
    ["/etc/passwd", "isn't a directory"],
  ])("not %s: %s", (root, message) => {
    const make = (): DirectoryCachePool =>
      new DirectoryCachePool({ name: "c", root, maxBytes: 1, evict: "off", minAgeMs: 0 });
    expect(make).toThrow(CacheRootError);
    expect(make).toThrow(message);
  });
});

describe("the home of the hub's cache, which has tokens and other caches beside it", () => {
  it("is refused, also where the hub is a link, and the hub in it is not", async () => {
    await using temp = await tempDirectory();
    const home = join(temp.path, "huggingface");
    const elsewhere = join(temp.path, "disk");
    await addRevision(elsewhere, "models--a--b", "aaa", { data: ["b1", 4, 40] });
    await makeFile(home, "xet/log", 40, 400);
    await symlink(elsewhere, join(home, "hub"));
    expect(() => poolAt(home, {})).toThrow(`give ${join(home, "hub")}`);
    await rm(join(home, "hub"));
    await rename(elsewhere, join(home, "hub"));
    expect(() => poolAt(home, {})).toThrow(CacheRootError);
    expect(() => poolAt(home, {})).toThrow(`give ${join(home, "hub")}`);
    await poolAt(join(home, "hub"), {}).pool.close();
  });

  it.each(["token", "stored_tokens"])("is refused for its %s, before there is a hub", async (name) => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, name, 40, 400);
    expect(() => poolAt(temp.path, {})).toThrow(`holds access tokens (${name})`);
  });

  it("loses nothing when it became one while it was watched", async () => {
    await using temp = await tempDirectory();
    await makeFile(temp.path, "old/data", 20 * KIB, 30);
    const { pool, clock } = poolAt(temp.path, {});
    expect(await pool.read(never)).toMatchObject({ detected: true });
    await makeFile(temp.path, "token", 40, 400);
    await addRevision(join(temp.path, "hub"), "models--a--b", "aaa", { data: ["b1", 4, 40] });
    await clock.advance(60_000);
    await expect(pool.evict({ wantBytes: 2 ** 30, signal: never })).rejects.toMatchObject({
      code: "denied",
      message: expect.stringContaining("beside other things") as string,
    });
    expect(await exists(join(temp.path, "token"))).toBe(true);
    expect(await exists(join(temp.path, "hub/models--a--b/snapshots/aaa/data"))).toBe(true);
    expect(await exists(join(temp.path, "old/data"))).toBe(true);
    await pool.close();
  });
});
