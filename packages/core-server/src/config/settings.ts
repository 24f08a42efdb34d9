import { DockerHostError, type EvictMode, parseDockerHost } from "@continuum/pool-docker";
import { parseDuration } from "./duration.js";
import { LOG_LEVELS, type LogLevel } from "./core-config.js";

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
  /** Null when the text can't be used. */
  readonly parse: (text: string) => T | null;
}

const MAX_TICK_MS = 3_600_000;
const EVICT_MODES: readonly EvictMode[] = ["off", "conservative", "standard"];

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
    description: "milliseconds from one reading to the next",
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
  evict: setting<EvictMode>({
    flag: "--evict",
    placeholder: "MODE",
    variable: "CONTINUUM_EVICT",
    description: "what may be deleted: off (only observe), conservative (what can be had again), standard",
    expected: "off, conservative or standard",
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
