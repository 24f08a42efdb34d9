import { DockerHostError, parseDockerHost } from "@continuum/pool-docker";
import { parseDuration } from "./duration.js";
import { setting } from "./setting.js";

const MAX_TICK_MS = 3_600_000;
const MAX_COOLDOWN_MS = 86_400_000;

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

/** What is watched, how often, and at which pressure it is relieved how far. */
export const PRESSURE_SETTINGS = {
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
} as const;
