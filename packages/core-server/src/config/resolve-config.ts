import { CoreError } from "../core-error.js";
import { join } from "node:path";
import {
  decodeEndpoint,
  decodeSocketPath,
  defaultEndpoint,
  defaultStateDirectory,
  type Endpoint,
  resolveCoreDirectory,
} from "../ipc/endpoint.js";
import { isToken, TOKEN_RULE, type TokenSource } from "../ipc/token-file.js";
import type { CoreConfig } from "./core-config.js";
import type { Setting } from "./setting.js";
import { type SettingName, SETTINGS } from "./settings.js";

/** The flags as they were typed, by setting; `socket` beside them. */
export type RawFlags = { readonly [N in SettingName | "socket"]?: string | undefined };

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Flag over environment over default. Throws a CoreError `usage`: one line that names the flag or variable,
 * what it got and what it expects. An empty variable counts as unset.
 */
export function resolveConfig(flags: RawFlags, env: Env): CoreConfig {
  const actAbove = resolve("actAbove", flags, env);
  const target = resolve("target", flags, env);
  const { value: minAgeMs } = resolve("minAgeMs", flags, env);
  if (target.value >= actAbove.value) {
    const message =
      `${target.source}: got ${target.value}, expected less than ${actAbove.source} (${actAbove.value}): ` +
      "relief stops at the one and starts at the other";
    throw new CoreError("usage", message);
  }
  const stopBelow = resolve("stopBelow", flags, env);
  if (stopBelow.value !== null && (stopBelow.value < target.value || stopBelow.value >= actAbove.value)) {
    const range = `from ${target.source} (${target.value}) to below ${actAbove.source} (${actAbove.value})`;
    throw new CoreError("usage", `${stopBelow.source}: got ${stopBelow.value}, expected a ratio ${range}`);
  }
  const anywhere = resolve("listenAnywhere", flags, env).value === "on";
  const endpoint = resolveEndpoint(flags.socket, env, anywhere);
  return {
    endpoint,
    readEndpoint: resolveReadEndpoint(endpoint, flags, env),
    token: resolveTokenSource(flags, env),
    maxConnections: resolve("maxConnections", flags, env).value,
    dockerHost: resolveDockerHost(flags, env),
    tickMs: resolve("tickMs", flags, env).value,
    actAbove: actAbove.value,
    stopBelow: stopBelow.value,
    target: target.value,
    floor: resolve("floor", flags, env).value,
    cooldownMs: resolve("cooldownMs", flags, env).value,
    minAgeMs: {
      image: minAgeMs,
      container: resolve("minAgeContainerMs", flags, env).value ?? minAgeMs,
      buildCache: resolve("minAgeBuildCacheMs", flags, env).value ?? minAgeMs,
    },
    minIdleMs: resolve("minIdleMs", flags, env).value,
    evict: resolve("evict", flags, env).value,
    keepLabel: resolve("keepLabel", flags, env).value,
    keepReferences: resolve("keepReferences", flags, env).value,
    keepNewestPerRepository: resolve("keepNewestPerRepository", flags, env).value,
    dockerCapacityBytes: resolve("dockerCapacityBytes", flags, env).value,
    caches: resolve("caches", flags, env).value,
    lowLatency: resolve("lowLatency", flags, env).value === "on",
    cacheEvict: resolve("cacheEvict", flags, env).value,
    cacheMinAgeMs: resolve("cacheMinAgeMs", flags, env).value,
    cacheKeep: resolve("cacheKeep", flags, env).value,
    alertCommand: resolve("alertCommand", flags, env).value,
    alertWebhooks: resolve("alertWebhooks", flags, env).value,
    // No flag: the arguments of a process are everybody's to read.
    alertSecret: env["CONTINUUM_ALERT_SECRET"] === "" ? null : (env["CONTINUUM_ALERT_SECRET"] ?? null),
    alertSecretFile: resolve("alertSecretFile", flags, env).value,
    alertmanagerUrl: resolve("alertmanagerUrl", flags, env).value,
    alertInstance: resolve("alertInstance", flags, env).value,
    stateDirectory: resolve("stateDirectory", flags, env).value ?? defaultStateDirectory(env),
    logLevel: resolve("logLevel", flags, env).value,
  };
}

type SettingValue<N extends SettingName> = (typeof SETTINGS)[N]["defaultValue"];

function resolve<N extends SettingName>(
  name: N,
  flags: RawFlags,
  env: Env,
): { readonly value: SettingValue<N>; readonly source: string } {
  // The compiler sees the union of all settings; the name picks one of them.
  const setting = SETTINGS[name] as unknown as Setting<SettingValue<N>>;
  const { flag, variable, defaultValue } = setting;
  const typed = flags[name];
  if (typed !== undefined) return { value: parse(setting, typed, flag), source: flag };
  const inherited = env[variable];
  if (inherited !== undefined && inherited !== "") {
    return { value: parse(setting, inherited, variable), source: variable };
  }
  return { value: defaultValue, source: flag };
}

function parse<T>(setting: Setting<T>, text: string, source: string): T {
  const value = setting.parse(text);
  if (value !== null) return value;
  if (setting.isSecret === true) {
    throw new CoreError("usage", `${source}: can't be used, expected ${setting.expected}`);
  }
  throw new CoreError("usage", `${source}: got ${JSON.stringify(text)}, expected ${setting.expected}`);
}

function resolveDockerHost(flags: RawFlags, env: Env): string | null {
  const { value } = resolve("dockerHost", flags, env);
  const inherited = env["DOCKER_HOST"];
  if (value !== null || inherited === undefined || inherited === "") return value;
  return parse(SETTINGS.dockerHost, inherited, "DOCKER_HOST");
}

/** `CONTINUUM_CORE_URL` is what clients read: a core and its clients that share an environment meet there. */
function resolveEndpoint(flag: string | undefined, env: Env, anywhere: boolean): Endpoint {
  if (flag !== undefined) return decodeEndpoint(flag, "--socket", { anywhere });
  for (const variable of ["CONTINUUM_SOCKET", "CONTINUUM_CORE_URL"]) {
    const text = env[variable];
    if (text !== undefined && text !== "") return decodeEndpoint(text, variable, { anywhere });
  }
  return defaultEndpoint(env);
}

function resolveReadEndpoint(main: Endpoint, flags: RawFlags, env: Env): CoreConfig["readEndpoint"] {
  const { value, source } = resolve("readSocket", flags, env);
  if (value === null) return null;
  const endpoint = decodeSocketPath(value, source);
  if (main.kind === "unix" && endpoint.path === main.path) {
    throw new CoreError("usage", `${source}: got the core's own socket, expected another path`);
  }
  return endpoint;
}

/** The token itself is only taken from the environment: everybody may read the flags of a process. */
function resolveTokenSource(flags: RawFlags, env: Env): TokenSource {
  const { value: path, source } = resolve("tokenFile", flags, env);
  const token = env["CONTINUUM_TOKEN"];
  if (flags.tokenFile === undefined && token !== undefined && token !== "") {
    if (!isToken(token)) throw new CoreError("usage", `CONTINUUM_TOKEN: expected ${TOKEN_RULE}`);
    return { kind: "given", token };
  }
  if (path !== null) return { kind: "file", path, source };
  return { kind: "own", path: join(resolveCoreDirectory(env), "token") };
}
