import { ALERT_SETTINGS } from "./alert-settings.js";
import { CACHE_SETTINGS } from "./cache-settings.js";
import { LOG_LEVELS, type LogLevel } from "./core-config.js";
import { DOCKER_SETTINGS } from "./docker-settings.js";
import { IPC_SETTINGS } from "./ipc-settings.js";
import { PRESSURE_SETTINGS } from "./pressure-settings.js";
import { setting } from "./setting.js";
import { oneOf, parseAbsolutePath } from "./setting-values.js";

/** Every setting of the core but its endpoint, in the order of the help. Flag over variable over default. */
export const SETTINGS = {
  ...PRESSURE_SETTINGS,
  ...DOCKER_SETTINGS,
  ...CACHE_SETTINGS,
  ...IPC_SETTINGS,
  ...ALERT_SETTINGS,
  stateDirectory: setting<string | null>({
    flag: "--state-dir",
    placeholder: "PATH",
    variable: "CONTINUUM_STATE_DIR",
    description:
      "where what outlives the core is kept: counters, episodes, ledgers, uses of images, readings",
    expected: "an absolute path",
    defaultValue: null,
    defaultText: "$CONTINUUM_HOME/state, else continuum in $XDG_STATE_HOME or ~/.local/state",
    parse: parseAbsolutePath,
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
