import { chmod, lstat, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tempDirectory } from "../testing/temp-directory.js";
import { TokenCheck } from "./token-check.js";
import { isToken, resolveToken } from "./token-file.js";

const TOKEN = "correct-horse-battery";

describe("the core's token", () => {
  it("is made once, of 32 random bytes, readable by its owner alone, and kept", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "new", "token");
    const all = await Promise.all(Array.from({ length: 8 }, () => resolveToken({ kind: "own", path })));
    const [first] = all;
    expect(new Set(all.map(({ token }) => token)).size).toBe(1);
    expect(first?.token).toMatch(/^[\w-]{43}$/u);
    expect((await lstat(path)).mode & 0o777).toBe(0o600);
    expect(await resolveToken({ kind: "own", path })).toEqual(first);
    expect(await readFile(path, "utf8")).toBe(`${first?.token}\n`);
  });

  it("is taken from a file that only its owner may read", async () => {
    await using home = await tempDirectory();
    const path = join(home.path, "token");
    const source = { kind: "file", path, source: "--token-file" } as const;
    await writeFile(path, `${TOKEN}\n`, { mode: 0o600 });
    expect(await resolveToken(source)).toEqual({ token: TOKEN, path });
    for (const mode of [0o640, 0o604, 0o666]) {
      await chmod(path, mode);
      await expect(resolveToken(source)).rejects.toMatchObject({
        code: "usage",
        message: expect.stringMatching(/^--token-file: others may read .*: chmod 600/u) as string,
      });
    }
  });

  it.each([["short"], ["two words of some length"], ["x".repeat(5000)], [""]])(
    "isn't %j, and the error doesn't repeat it",
    async (text) => {
      await using home = await tempDirectory();
      const path = join(home.path, "token");
      await writeFile(path, text, { mode: 0o600 });
      const error: unknown = await resolveToken({ kind: "own", path }).catch((caught: unknown) => caught);
      expect(error).toMatchObject({ name: "CoreError", code: "usage" });
      if (text !== "") expect((error as Error).message).not.toContain(text);
      expect(isToken(text)).toBe(false);
    },
  );

  it("is missed where its file is, or is no file", async () => {
    await using home = await tempDirectory();
    for (const path of [join(home.path, "nothing"), home.path, "/dev/zero"]) {
      await expect(resolveToken({ kind: "file", path, source: "X" })).rejects.toMatchObject({
        code: "usage",
      });
    }
  });

  it("is compared as a whole, whatever the lengths", () => {
    const check = new TokenCheck(TOKEN);
    expect(check.matches(TOKEN)).toBe(true);
    for (const other of ["", "c", TOKEN.slice(1), `${TOKEN}x`, `${TOKEN}\0`, TOKEN.toUpperCase()]) {
      expect(check.matches(other)).toBe(false);
    }
  });
});
