import { parseCacheDirectories } from "./cache-directories.js";
import type { CacheDirectory } from "./core-config.js";
import { parseDuration } from "./duration.js";
import { setting } from "./setting.js";
import { oneOf, parsePatterns } from "./setting-values.js";

/** Which caches of models and packages are watched, and what may be deleted from them. */
export const CACHE_SETTINGS = {
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
} as const;
