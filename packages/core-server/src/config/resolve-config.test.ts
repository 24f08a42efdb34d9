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
      readEndpoint: null,
      token: { kind: "own", path: "/home/of/core/token" },
      maxConnections: 4096,
      dockerHost: null,
      tickMs: 5000,
      actAbove: 0.8,
      stopBelow: null,
      target: 0.6,
      floor: 0.1,
      cooldownMs: 15_000,
      minAgeMs: { image: 86_400_000, container: 86_400_000, buildCache: 86_400_000 },
      minIdleMs: 0,
      evict: "off",
      keepLabel: "continuum.keep=true",
      keepReferences: [],
      keepNewestPerRepository: 0,
      dockerCapacityBytes: null,
      caches: [],
      cacheEvict: "off",
      lowLatency: false,
      cacheMinAgeMs: 604_800_000,
      cacheKeep: [],
      alertCommand: null,
      alertWebhooks: [],
      alertSecret: null,
      alertSecretFile: null,
      alertmanagerUrl: null,
      alertInstance: null,
      stateDirectory: "/home/of/core/state",
      logLevel: null,
    });
  });

  const all = [
    ["--socket", "CONTINUUM_SOCKET", "tcp://0.0.0.0:7000"],
    ["--read-socket", "CONTINUUM_READ_SOCKET", "unix:///run/read/c.sock"],
    ["--token-file", "CONTINUUM_TOKEN_FILE", "/run/token"],
    ["--listen-anywhere", "CONTINUUM_LISTEN_ANYWHERE", "on"],
    ["--max-connections", "CONTINUUM_MAX_CONNECTIONS", "10000"],
    ["--low-latency", "CONTINUUM_LOW_LATENCY", "on"],
    ["--docker-host", "CONTINUUM_DOCKER_HOST", "tcp://127.0.0.1:2375"],
    ["--tick-ms", "CONTINUUM_TICK_MS", "250"],
    ["--act-above", "CONTINUUM_ACT_ABOVE", ".9"],
    ["--target", "CONTINUUM_TARGET", "0.7"],
    ["--stop-below", "CONTINUUM_STOP_BELOW", "0.75"],
    ["--floor", "CONTINUUM_FLOOR", "0"],
    ["--cooldown", "CONTINUUM_COOLDOWN", "1m"],
    ["--min-age", "CONTINUUM_MIN_AGE", "1h30m"],
    ["--min-age-container", "CONTINUUM_MIN_AGE_CONTAINER", "7d"],
    ["--min-age-build-cache", "CONTINUUM_MIN_AGE_BUILD_CACHE", "0s"],
    ["--min-idle", "CONTINUUM_MIN_IDLE", "2h"],
    ["--evict", "CONTINUUM_EVICT", "aggressive"],
    ["--keep-label", "CONTINUUM_KEEP_LABEL", "pet"],
    ["--keep-images", "CONTINUUM_KEEP_IMAGES", "base/*, *:stable"],
    ["--keep-newest", "CONTINUUM_KEEP_NEWEST", "3"],
    ["--docker-capacity", "CONTINUUM_DOCKER_CAPACITY", "1.5 GB"],
    ["--cache-dir", "CONTINUUM_CACHE_DIRS", "models=/srv/hub@200GB, pip.1=/srv/a@b/pip"],
    ["--cache-evict", "CONTINUUM_CACHE_EVICT", "on"],
    ["--cache-min-age", "CONTINUUM_CACHE_MIN_AGE", "12h"],
    ["--cache-keep", "CONTINUUM_CACHE_KEEP", "models--base*"],
    ["--alert-command", "CONTINUUM_ALERT_COMMAND", "airc publish --room 'my room' --body-text {text}"],
    [
      "--alert-webhook",
      "CONTINUUM_ALERT_WEBHOOKS",
      "slack=https://hooks.example/T1/s3cret, ntfy=https://ntfy.example/topic",
    ],
    ["--alert-secret-file", "CONTINUUM_ALERT_SECRET_FILE", "/run/secrets/alerts"],
    ["--alertmanager", "CONTINUUM_ALERTMANAGER_URL", "http://127.0.0.1:9093/prefix"],
    ["--alert-instance", "CONTINUUM_ALERT_INSTANCE", "build-1"],
    ["--state-dir", "CONTINUUM_STATE_DIR", "/var/lib/continuum"],
    ["--log-level", "CONTINUUM_LOG_LEVEL", "silent"],
  ] as const;
  const decoded = {
    endpoint: { kind: "tcp", host: "0.0.0.0", port: 7000 },
    readEndpoint: { kind: "unix", path: "/run/read/c.sock", ownsDirectory: false },
    maxConnections: 10_000,
    dockerHost: "tcp://127.0.0.1:2375",
    tickMs: 250,
    actAbove: 0.9,
    stopBelow: 0.75,
    target: 0.7,
    floor: 0,
    cooldownMs: 60_000,
    minAgeMs: { image: 5_400_000, container: 604_800_000, buildCache: 0 },
    minIdleMs: 7_200_000,
    evict: "aggressive",
    keepLabel: "pet",
    keepReferences: ["base/*", "*:stable"],
    keepNewestPerRepository: 3,
    dockerCapacityBytes: 1_500_000_000,
    caches: [
      { name: "models", path: "/srv/hub", maxBytes: 200_000_000_000 },
      { name: "pip.1", path: "/srv/a@b/pip", maxBytes: null },
    ],
    cacheEvict: "on",
    lowLatency: true,
    cacheMinAgeMs: 43_200_000,
    cacheKeep: ["models--base*"],
    alertCommand: ["airc", "publish", "--room", "my room", "--body-text", "{text}"],
    alertWebhooks: [
      { kind: "slack", url: new URL("https://hooks.example/T1/s3cret") },
      { kind: "ntfy", url: new URL("https://ntfy.example/topic") },
    ],
    alertSecret: null,
    alertSecretFile: "/run/secrets/alerts",
    alertmanagerUrl: new URL("http://127.0.0.1:9093/prefix"),
    alertInstance: "build-1",
    stateDirectory: "/var/lib/continuum",
    logLevel: "silent",
  };

  it("takes each setting as a flag and as a variable", () => {
    const token = (source: string) => ({ kind: "file", path: "/run/token", source });
    expect(configOf(all.flatMap(([flag, , value]) => [flag, value]))).toEqual({
      ...decoded,
      token: token("--token-file"),
    });
    expect(configOf([], Object.fromEntries(all.map(([, name, value]) => [name, value])))).toEqual({
      ...decoded,
      token: token("CONTINUUM_TOKEN_FILE"),
    });
  });

  it("takes a token from the environment, unless a flag names its file, and never repeats one", () => {
    const token = "0123456789abcdef";
    expect(configOf([], { CONTINUUM_TOKEN: token, CONTINUUM_TOKEN_FILE: "/t" }).token).toEqual({
      kind: "given",
      token,
    });
    expect(configOf(["--token-file", "/t"], { CONTINUUM_TOKEN: token }).token).toMatchObject({ path: "/t" });
    const short = (): unknown => configOf([], { CONTINUUM_TOKEN: "short but secret" });
    expect(short).toThrow("CONTINUUM_TOKEN: expected a token of 16 to 1024 visible ASCII characters");
    expect(short).not.toThrow("secret");
  });

  it("listens beyond this machine only when told so, by a flag that needs no value", () => {
    const flags = ["--listen-anywhere", "--socket", "tcp://192.168.0.1:7"];
    expect(configOf(flags).endpoint).toEqual({ kind: "tcp", host: "192.168.0.1", port: 7 });
    expect(() => configOf(flags.slice(1))).toThrow(/--socket: .*loopback.*--listen-anywhere/u);
    expect(() => configOf(["--listen-anywhere", "--socket", "tcp://example.org:7"])).toThrow("digits");
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
      'CONTINUUM_EVICT: got "everything", expected off, conservative, standard or aggressive',
    ],
    [["--min-age", "yesterday"], {}, "--min-age"],
    [["--keep-label", "=x"], {}, "--keep-label"],
    [["--keep-images", "a b"], {}, "--keep-images"],
    [["--keep-images", "a,"], {}, "--keep-images"],
    [["--keep-newest", "-1"], {}, "--keep-newest"],
    [["--docker-capacity", "much"], {}, "--docker-capacity"],
    [
      ["--cache-dir", "models"],
      {},
      '--cache-dir: got "models", expected entries NAME=PATH or NAME=PATH@SIZE',
    ],
    [["--cache-dir", "models=relative"], {}, "--cache-dir"],
    [["--cache-dir", "Models=/srv"], {}, "--cache-dir"],
    [["--cache-dir", "models=/srv@lots"], {}, "--cache-dir"],
    [["--cache-dir", "models=/srv@0"], {}, "--cache-dir"],
    [["--cache-dir", "a=/srv/1,a=/srv/2"], {}, "--cache-dir"],
    [["--cache-dir", "a=/srv/1,"], {}, "--cache-dir"],
    [["--cache-evict", "standard"], {}, '--cache-evict: got "standard", expected off or on'],
    [["--state-dir", "relative"], {}, "--state-dir"],
    [
      ["--alert-command", "say 'all of it"],
      {},
      "--alert-command: can't be used, expected a program and arguments, {text} in one of them",
    ],
    [["--alert-command", "say loudly"], {}, "--alert-command"],
    [["--alert-command", "{text} now"], {}, "--alert-command"],
    [["--alert-webhook", "slack"], {}, "--alert-webhook: can't be used, expected entries KIND=URL"],
    [["--alert-webhook", "teams=https://x.example/y"], {}, "--alert-webhook"],
    [["--alert-webhook", "slack=ftp://x.example/y"], {}, "--alert-webhook"],
    [["--alert-webhook", "ntfy=https://x.example/"], {}, "--alert-webhook"],
    [["--alertmanager", "localhost:9093"], {}, "--alertmanager"],
    [["--alert-secret-file", "relative"], {}, "--alert-secret-file"],
    [["--alert-instance", "a b"], {}, "--alert-instance"],
    [["--min-idle", "1 day"], {}, "--min-idle"],
    [["--docker-host", "ssh://somewhere"], {}, "--docker-host"],
    [[], { DOCKER_HOST: "ssh://somewhere" }, "DOCKER_HOST"],
    [["--log-level", "loud"], {}, "--log-level"],
    [["--socket", ""], {}, "--socket"],
    [["--socket", "http://x"], {}, "--socket"],
    [["--read-socket", "tcp://127.0.0.1:7"], {}, "--read-socket"],
    [["--read-socket", "/home/of/core/core.sock"], {}, "--read-socket: got the core's own socket"],
    [["--token-file", "relative"], {}, "--token-file"],
    [["--listen-anywhere", "everywhere"], {}, "--listen-anywhere"],
    [["--max-connections", "0"], {}, "--max-connections"],
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

  it("repeats nothing that may be secret", () => {
    const typed = "slack=https://hooks.example/T1/s3cret,teams=https://x.example";
    expect(() => configOf([], { CONTINUUM_ALERT_WEBHOOKS: typed })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("s3cret") as string }) as Error,
    );
  });

  it("takes the secret of webhooks from its variable alone", () => {
    expect(configOf([], { CONTINUUM_ALERT_SECRET: "whsec_x" }).alertSecret).toBe("whsec_x");
    expect(() => configOf(["--alert-secret", "whsec_x"])).toThrow("--alert-secret");
  });

  it("prints help with every flag and variable, and the version", () => {
    const help = parseCommandLine(["--help"], "1.2.3");
    for (const [flag, variable] of all) {
      expect(help).toMatchObject({ kind: "print", text: expect.stringContaining(flag) as string });
      expect(help).toMatchObject({ text: expect.stringContaining(variable) as string });
    }
    expect(parseCommandLine(["--version"], "1.2.3")).toEqual({ kind: "print", text: "1.2.3\n" });
  });
});
