import { describe, expect, it } from "vitest";
import type { CoreErrorCode } from "../core-error.js";
import { parseCommandLine } from "./command-line.js";
import { resolveConfig } from "./resolve-config.js";

const HOME = { CONTINUUM_HOME: "/home/of/core" };

function configOf(
  args: readonly string[],
  env: Record<string, string> = {},
): ReturnType<typeof resolveConfig> {
  const line = parseCommandLine(args, "1.2.3");
  if (line.kind !== "run") throw new Error(line.text);
  return resolveConfig(line.flags, { ...HOME, ...env });
}

describe("the core's configuration", () => {
  it("observes only, every five seconds, on the default socket", () => {
    expect(configOf([])).toEqual({
      endpoint: { kind: "unix", path: "/home/of/core/core.sock", ownsDirectory: true },
      dockerHost: null,
      tickMs: 5000,
      actAbove: 0.8,
      target: 0.6,
      minAgeMs: 86_400_000,
      evict: "off",
      keepLabel: "continuum.keep=true",
      logLevel: null,
    });
  });

  const all = [
    ["--socket", "CONTINUUM_SOCKET", "/run/c.sock"],
    ["--docker-host", "CONTINUUM_DOCKER_HOST", "tcp://127.0.0.1:2375"],
    ["--tick-ms", "CONTINUUM_TICK_MS", "250"],
    ["--act-above", "CONTINUUM_ACT_ABOVE", ".9"],
    ["--target", "CONTINUUM_TARGET", "0.7"],
    ["--min-age", "CONTINUUM_MIN_AGE", "1h30m"],
    ["--evict", "CONTINUUM_EVICT", "standard"],
    ["--keep-label", "CONTINUUM_KEEP_LABEL", "pet"],
    ["--log-level", "CONTINUUM_LOG_LEVEL", "silent"],
  ] as const;
  const decoded = {
    endpoint: { kind: "unix", path: "/run/c.sock", ownsDirectory: false },
    dockerHost: "tcp://127.0.0.1:2375",
    tickMs: 250,
    actAbove: 0.9,
    target: 0.7,
    minAgeMs: 5_400_000,
    evict: "standard",
    keepLabel: "pet",
    logLevel: "silent",
  };

  it("takes each setting as a flag and as a variable", () => {
    expect(configOf(all.flatMap(([flag, , value]) => [flag, value]))).toEqual(decoded);
    expect(configOf([], Object.fromEntries(all.map(([, name, value]) => [name, value])))).toEqual(decoded);
  });

  it("puts a flag above its variable, and treats an empty variable as unset", () => {
    expect(configOf(["--tick-ms", "7"], { CONTINUUM_TICK_MS: "not looked at" }).tickMs).toBe(7);
    expect(configOf([], { CONTINUUM_TICK_MS: "" }).tickMs).toBe(5000);
  });

  it("honours DOCKER_HOST where nothing more specific is said", () => {
    const env = { DOCKER_HOST: "unix:///var/run/other.sock" };
    expect(configOf([], env).dockerHost).toBe("unix:///var/run/other.sock");
    expect(configOf(["--docker-host", "unix:///mine.sock"], env).dockerHost).toBe("unix:///mine.sock");
  });

  it("listens where clients look, unless a socket is named", () => {
    const env = { CONTINUUM_CORE_URL: "tcp://localhost:7000" };
    expect(configOf([], env).endpoint).toEqual({ kind: "tcp", host: "127.0.0.1", port: 7000 });
    expect(configOf(["--socket", "/x.sock"], env).endpoint).toMatchObject({ path: "/x.sock" });
  });

  it.each([
    [
      ["--act-above", "lots"],
      {},
      '--act-above: got "lots", expected a ratio above 0 and up to 1, such as 0.8',
    ],
    [["--act-above", "1.1"], {}, "--act-above"],
    [["--act-above", "1e-1"], {}, "--act-above"],
    [["--target", "0.9"], {}, "--target: got 0.9, expected less than --act-above (0.8)"],
    [[], { CONTINUUM_ACT_ABOVE: "0.5" }, "expected less than CONTINUUM_ACT_ABOVE (0.5)"],
    [["--tick-ms", "0"], {}, "--tick-ms"],
    [["--tick-ms", "1.5"], {}, "--tick-ms"],
    [
      [],
      { CONTINUUM_EVICT: "everything" },
      'CONTINUUM_EVICT: got "everything", expected off, conservative or standard',
    ],
    [["--min-age", "yesterday"], {}, "--min-age"],
    [["--keep-label", "=x"], {}, "--keep-label"],
    [["--docker-host", "ssh://somewhere"], {}, "--docker-host"],
    [[], { DOCKER_HOST: "ssh://somewhere" }, "DOCKER_HOST"],
    [["--log-level", "loud"], {}, "--log-level"],
    [["--socket", ""], {}, "--socket"],
    [["--socket", "http://x"], {}, "--socket"],
    [["--bogus"], {}, "--bogus"],
    [["stray"], {}, "too many arguments"],
    [["--tick-ms"], {}, "--tick-ms"],
  ] as [string[], Record<string, string>, string][])(
    "%j %j is one line that says why",
    (args, env, message) => {
      const code: CoreErrorCode = "usage";
      expect(() => configOf(args, env)).toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(/^[^\n]+$/u) as string }) as Error,
      );
      expect(() => configOf(args, env)).toThrow(message);
    },
  );

  it("prints help with every flag and variable, and the version", () => {
    const help = parseCommandLine(["--help"], "1.2.3");
    for (const [flag, variable] of all) {
      expect(help).toMatchObject({ kind: "print", text: expect.stringContaining(flag) as string });
      expect(help).toMatchObject({ text: expect.stringContaining(variable) as string });
    }
    expect(parseCommandLine(["--version"], "1.2.3")).toEqual({ kind: "print", text: "1.2.3\n" });
  });
});
