import { DockerHostError, type EvictMode, parseDockerHost } from "@continuum/pool-docker";
import { isAbsolute } from "node:path";
import { parseCommandTemplate } from "../sinks/command-template.js";
import { parseDuration } from "./duration.js";
import { type CacheDirectory, LOG_LEVELS, type LogLevel } from "./core-config.js";
import { type AlertWebhook, parseAlertWebhooks } from "./alert-webhooks.js";
import { parseCacheDirectories } from "./cache-directories.js";
import { parseHttpUrl } from "./http-url.js";
import { parseSize } from "./size.js";

/** One thing that can be set by a flag or by an environment variable. */
export interface Setting<T> {
  /** As commander takes it: `--tick-ms <N>`. */
  readonly flag: `--${string}`;
  readonly placeholder: string;
  readonly variable: `CONTINUUM_${string}`;
  readonly description: string;
  /** For a person: what a value must be. */
  readonly expected: string;
  readonly defaultValue: T;
  /** How the default is shown in the help. */
  readonly defaultText: string;
  /** What the flag alone means, without a value; left out where it needs one. */
  readonly preset?: string;
  /** Whether what is typed may hold a secret: no error repeats it then. */
  readonly isSecret?: boolean;
  /** Null when the text can't be used. */
  readonly parse: (text: string) => T | null;
}

const MAX_TICK_MS = 3_600_000;
const MAX_CONNECTIONS = 1_000_000;
const MAX_KEPT = 1_000_000;
const MAX_COOLDOWN_MS = 86_400_000;
const MAX_PATTERNS = 1_000;
const EVICT_MODES: readonly EvictMode[] = ["off", "conservative", "standard", "aggressive"];

const setting = <T>(definition: Setting<T>): Setting<T> => definition;

const oneOf =
  <T extends string>(allowed: readonly T[]) =>
  (text: string): T | null =>
    allowed.find((each) => each === text) ?? null;

const ratio = (text: string): number | null => {
  const value = decimal(text);
  return value !== null && value > 0 && value <= 1 ? value : null;
};

function decimal(text: string): number | null {
  return /^(?:\d+(?:\.\d*)?|\.\d+)$/u.test(text) ? Number(text) : null;
}

function parseTickMs(text: string): number | null {
  const value = /^\d+$/u.test(text) ? Number(text) : 0;
  return value >= 1 && value <= MAX_TICK_MS ? value : null;
}

/** The text itself, if the pool can use it. */
function parseEngine(text: string): string | null {
  try {
    parseDockerHost(text);
    return text;
  } catch (error) {
    if (error instanceof DockerHostError) return null;
    throw error;
  }
}

function parseCooldown(text: string): number | null {
  const ms = parseDuration(text);
  return ms !== null && ms <= MAX_COOLDOWN_MS ? ms : null;
}

function parseCount(text: string): number | null {
  const value = /^\d+$/u.test(text) ? Number(text) : -1;
  return value >= 0 && value <= MAX_KEPT ? value : null;
}

/** Patterns of references, by commas. */
function parsePatterns(text: string): readonly string[] | null {
  const patterns = text.split(",").map((each) => each.trim());
  const areUsable = patterns.every((each) => /^[\w./:@*?-]+$/u.test(each));
  return areUsable && patterns.length <= MAX_PATTERNS ? patterns : null;
}

function parseInstance(text: string): string | null {
  return /^[\w.:-]{1,200}$/u.test(text) ? text : null;
}

function parseDirectory(text: string): string | null {
  return isAbsolute(text) && !text.includes("\0") ? text : null;
}

/** A label's key, or key and value, as Docker allows them. */
function parseLabel(text: string): string | null {
  return /^[^\s=]+(?:=[^\n]*)?$/u.test(text) ? text : null;
}

/** Every setting of the core but its endpoint. Flag over variable over default. */
export const SETTINGS = {
  dockerHost: setting<string | null>({
    flag: "--docker-host",
    placeholder: "URL",
    variable: "CONTINUUM_DOCKER_HOST",
    description: "the Docker engine to watch",
    expected: "unix:///PATH or tcp://HOST:PORT",
    defaultValue: null,
    defaultText: "$DOCKER_HOST, else the usual places",
    parse: parseEngine,
  }),
  tickMs: setting<number>({
    flag: "--tick-ms",
    placeholder: "N",
    variable: "CONTINUUM_TICK_MS",
    description:
      "milliseconds from one reading to the next when all is calm; down to 250 when a pool fills fast",
    expected: `a whole number of milliseconds from 1 to ${MAX_TICK_MS}`,
    defaultValue: 5000,
    defaultText: "5000",
    parse: parseTickMs,
  }),
  actAbove: setting<number>({
    flag: "--act-above",
    placeholder: "R",
    variable: "CONTINUUM_ACT_ABOVE",
    description: "the pressure at which a tier is relieved",
    expected: "a ratio above 0 and up to 1, such as 0.8",
    defaultValue: 0.8,
    defaultText: "0.8",
    parse: ratio,
  }),
  target: setting<number>({
    flag: "--target",
    placeholder: "R",
    variable: "CONTINUUM_TARGET",
    description: "the pressure that relief aims for",
    expected: "a ratio above 0 and up to 1, such as 0.6",
    defaultValue: 0.6,
    defaultText: "0.6",
    parse: ratio,
  }),
  stopBelow: setting<number | null>({
    flag: "--stop-below",
    placeholder: "R",
    variable: "CONTINUUM_STOP_BELOW",
    description: "the pressure down to which a relief that has begun goes on, round by round",
    expected: "a ratio above 0 and up to 1, such as 0.7",
    defaultValue: null,
    defaultText: "halfway between --target and --act-above",
    parse: ratio,
  }),
  floor: setting<number>({
    flag: "--floor",
    placeholder: "R",
    variable: "CONTINUUM_FLOOR",
    description: "the least share of the capacity that a relief asks for",
    expected: "a ratio from 0 to 1, such as 0.1",
    defaultValue: 0.1,
    defaultText: "0.1",
    parse: (text) => (decimal(text) === 0 ? 0 : ratio(text)),
  }),
  cooldownMs: setting<number>({
    flag: "--cooldown",
    placeholder: "DURATION",
    variable: "CONTINUUM_COOLDOWN",
    description: "begin no new relief so soon after one that succeeded, unless a tier is critical",
    expected: "a duration up to 1d, such as 0s, 15s or 5m",
    defaultValue: 15_000,
    defaultText: "15s",
    parse: parseCooldown,
  }),
  minAgeMs: setting<number>({
    flag: "--min-age",
    placeholder: "DURATION",
    variable: "CONTINUUM_MIN_AGE",
    description: "delete nothing younger",
    expected: "a duration such as 0s, 90m, 24h, 7d or 1h30m",
    defaultValue: 86_400_000,
    defaultText: "24h",
    parse: parseDuration,
  }),
  minAgeContainerMs: setting<number | null>({
    flag: "--min-age-container",
    placeholder: "DURATION",
    variable: "CONTINUUM_MIN_AGE_CONTAINER",
    description: "delete no stopped container that ended later",
    expected: "a duration such as 0s, 90m, 24h, 7d or 1h30m",
    defaultValue: null,
    defaultText: "as --min-age",
    parse: parseDuration,
  }),
  minAgeBuildCacheMs: setting<number | null>({
    flag: "--min-age-build-cache",
    placeholder: "DURATION",
    variable: "CONTINUUM_MIN_AGE_BUILD_CACHE",
    description: "delete no build cache that was used later",
    expected: "a duration such as 0s, 90m, 24h, 7d or 1h30m",
    defaultValue: null,
    defaultText: "as --min-age",
    parse: parseDuration,
  }),
  minIdleMs: setting<number>({
    flag: "--min-idle",
    placeholder: "DURATION",
    variable: "CONTINUUM_MIN_IDLE",
    description: "delete no image that was used, or may have been used unseen, later",
    expected: "a duration such as 0s, 90m, 24h, 7d or 1h30m",
    defaultValue: 0,
    defaultText: "0s",
    parse: parseDuration,
  }),
  evict: setting<EvictMode>({
    flag: "--evict",
    placeholder: "MODE",
    variable: "CONTINUUM_EVICT",
    description:
      "what may be deleted: off (only observe), conservative (what can be had again), standard (every unused image), aggressive (stopped containers too)",
    expected: "off, conservative, standard or aggressive",
    defaultValue: "off",
    defaultText: "off",
    parse: oneOf(EVICT_MODES),
  }),
  keepLabel: setting<string>({
    flag: "--keep-label",
    placeholder: "KEY[=VALUE]",
    variable: "CONTINUUM_KEEP_LABEL",
    description: "never delete what carries this label",
    expected: "a label, KEY or KEY=VALUE",
    defaultValue: "continuum.keep=true",
    defaultText: "continuum.keep=true",
    parse: parseLabel,
  }),
  keepReferences: setting<readonly string[]>({
    flag: "--keep-images",
    placeholder: "PATTERN,...",
    variable: "CONTINUUM_KEEP_IMAGES",
    description: "never delete images whose name matches, * any text, ? one character",
    expected: "references with * and ?, by commas, such as 'registry.example/base/*,*:stable'",
    defaultValue: [],
    defaultText: "none",
    parse: parsePatterns,
  }),
  keepNewestPerRepository: setting<number>({
    flag: "--keep-newest",
    placeholder: "N",
    variable: "CONTINUUM_KEEP_NEWEST",
    description: "never delete the newest N images of a repository",
    expected: `a whole number from 0 to ${MAX_KEPT}`,
    defaultValue: 0,
    defaultText: "0",
    parse: parseCount,
  }),
  dockerCapacityBytes: setting<number | null>({
    flag: "--docker-capacity",
    placeholder: "SIZE",
    variable: "CONTINUUM_DOCKER_CAPACITY",
    description: "how much the disk of an engine on another machine holds, which its API doesn't say",
    expected: "a size such as 500GB, 64GiB or plain bytes",
    defaultValue: null,
    defaultText: "unknown",
    parse: parseSize,
  }),
  caches: setting<readonly CacheDirectory[]>({
    flag: "--cache-dir",
    placeholder: "NAME=PATH@SIZE,...",
    variable: "CONTINUUM_CACHE_DIRS",
    description:
      "model and package caches to watch, each with its budget (without one: its filesystem's capacity)",
    expected:
      "entries NAME=PATH or NAME=PATH@SIZE by commas, such as models=/home/me/.cache/huggingface/hub@200GB " +
      "(NAME of a-z, 0-9, . _ and -, PATH absolute)",
    defaultValue: [],
    defaultText: "none",
    parse: parseCacheDirectories,
  }),
  cacheEvict: setting<"off" | "on">({
    flag: "--cache-evict",
    placeholder: "MODE",
    variable: "CONTINUUM_CACHE_EVICT",
    description: "whether what was used least recently may be deleted from caches: off (only observe) or on",
    expected: "off or on",
    defaultValue: "off",
    defaultText: "off",
    parse: oneOf(["off", "on"]),
  }),
  cacheMinAgeMs: setting<number>({
    flag: "--cache-min-age",
    placeholder: "DURATION",
    variable: "CONTINUUM_CACHE_MIN_AGE",
    description: "delete nothing from caches that was used or changed later",
    expected: "a duration such as 0s, 90m, 24h, 7d or 1h30m",
    defaultValue: 604_800_000,
    defaultText: "7d",
    parse: parseDuration,
  }),
  cacheKeep: setting<readonly string[]>({
    flag: "--cache-keep",
    placeholder: "PATTERN,...",
    variable: "CONTINUUM_CACHE_KEEP",
    description: "never delete entries of caches whose path matches, * any text, ? one character",
    expected: "paths within the cache with * and ?, by commas, such as 'models--org--base*,*-stable'",
    defaultValue: [],
    defaultText: "none",
    parse: parsePatterns,
  }),
  readSocket: setting<string | null>({
    flag: "--read-socket",
    placeholder: "PATH",
    variable: "CONTINUUM_READ_SOCKET",
    description:
      "a second socket, 0660, over which everything may be read and nothing changed; best in a directory of its own",
    expected: "a path or unix:///PATH",
    defaultValue: null,
    defaultText: "none",
    parse: (text) => (text === "" ? null : text),
  }),
  tokenFile: setting<string | null>({
    flag: "--token-file",
    placeholder: "PATH",
    variable: "CONTINUUM_TOKEN_FILE",
    description:
      "the file with the token that connections over TCP owe, readable by its owner alone; CONTINUUM_TOKEN is the token itself",
    expected: "an absolute path",
    defaultValue: null,
    defaultText: "token in the core's directory, made when it isn't there",
    parse: parseDirectory,
  }),
  listenAnywhere: setting<"off" | "on">({
    flag: "--listen-anywhere",
    placeholder: "MODE",
    variable: "CONTINUUM_LISTEN_ANYWHERE",
    description:
      "whether tcp:// may name an address that other machines reach: off or on; nothing is encrypted",
    expected: "off or on",
    defaultValue: "off",
    defaultText: "off",
    preset: "on",
    parse: oneOf(["off", "on"]),
  }),
  lowLatency: setting<"off" | "on">({
    flag: "--low-latency",
    placeholder: "MODE",
    variable: "CONTINUUM_LOW_LATENCY",
    description:
      "whether to poll for the next request for up to 50 µs after a reply, while a processor is to spare: off or on",
    expected: "off or on",
    defaultValue: "off",
    defaultText: "off",
    preset: "on",
    parse: oneOf(["off", "on"]),
  }),
  maxConnections: setting<number>({
    flag: "--max-connections",
    placeholder: "N",
    variable: "CONTINUUM_MAX_CONNECTIONS",
    description: "connections at once; the next one is refused",
    expected: `a whole number from 1 to ${MAX_CONNECTIONS}`,
    defaultValue: 4096,
    defaultText: "4096",
    parse: (text) => {
      const value = parseCount(text);
      return value !== null && value >= 1 && value <= MAX_CONNECTIONS ? value : null;
    },
  }),
  alertCommand: setting<readonly string[] | null>({
    flag: "--alert-command",
    placeholder: "COMMAND",
    variable: "CONTINUUM_ALERT_COMMAND",
    description: "run this for each alert, without a shell; {text} in an argument becomes the alert's line",
    expected:
      "a program and arguments, {text} in one of them, words by spaces or quoted, such as " +
      "'airc publish --room ROOM --kind message --body-text {text}'",
    defaultValue: null,
    defaultText: "none",
    isSecret: true,
    parse: parseCommandTemplate,
  }),
  alertWebhooks: setting<readonly AlertWebhook[]>({
    flag: "--alert-webhook",
    placeholder: "KIND=URL,...",
    variable: "CONTINUUM_ALERT_WEBHOOKS",
    description: "post each alert there; KIND is slack, discord, ntfy or json (signed). Prefer the variable",
    expected: "entries KIND=URL by commas, KIND slack, discord, ntfy (its URL ends with the topic) or json",
    defaultValue: [],
    defaultText: "none",
    isSecret: true,
    parse: parseAlertWebhooks,
  }),
  alertSecretFile: setting<string | null>({
    flag: "--alert-secret-file",
    placeholder: "PATH",
    variable: "CONTINUUM_ALERT_SECRET_FILE",
    description: "the secret that signs json webhooks, whsec_BASE64; or CONTINUUM_ALERT_SECRET itself",
    expected: "an absolute path",
    defaultValue: null,
    defaultText: "none",
    parse: parseDirectory,
  }),
  alertmanagerUrl: setting<URL | null>({
    flag: "--alertmanager",
    placeholder: "URL",
    variable: "CONTINUUM_ALERTMANAGER_URL",
    description: "tell a Prometheus Alertmanager of episodes",
    expected: "http://HOST:PORT or https://..., with its path prefix if it has one",
    defaultValue: null,
    defaultText: "none",
    isSecret: true,
    parse: parseHttpUrl,
  }),
  alertInstance: setting<string | null>({
    flag: "--alert-instance",
    placeholder: "NAME",
    variable: "CONTINUUM_ALERT_INSTANCE",
    description: "what alerts call this machine",
    expected: "1 to 200 of letters, digits, dot, colon, dash and underscore",
    defaultValue: null,
    defaultText: "its host name",
    parse: parseInstance,
  }),
  stateDirectory: setting<string | null>({
    flag: "--state-dir",
    placeholder: "PATH",
    variable: "CONTINUUM_STATE_DIR",
    description: "where the journal of uses and the ledger of evictions are kept",
    expected: "an absolute path",
    defaultValue: null,
    defaultText: "$CONTINUUM_HOME/state, else ~/.local/state/continuum",
    parse: parseDirectory,
  }),
  logLevel: setting<LogLevel | null>({
    flag: "--log-level",
    placeholder: "LEVEL",
    variable: "CONTINUUM_LOG_LEVEL",
    description: "how much goes to the log on standard error",
    expected: LOG_LEVELS.join(", "),
    defaultValue: null,
    defaultText: "warn on a terminal, else info",
    parse: oneOf(LOG_LEVELS),
  }),
} as const;

/** The name of a setting. */
export type SettingName = keyof typeof SETTINGS;
