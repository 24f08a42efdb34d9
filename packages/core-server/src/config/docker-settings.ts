import type { EvictMode } from "@continuum/pool-docker";
import { parseDuration } from "./duration.js";
import { setting } from "./setting.js";
import { MAX_COUNT, oneOf, parseCount, parsePatterns } from "./setting-values.js";
import { parseSize } from "./size.js";

const EVICT_MODES: readonly EvictMode[] = ["off", "conservative", "standard", "aggressive"];

/** A label's key, or key and value, as Docker allows them. */
function parseLabel(text: string): string | null {
  return /^[^\s=]+(?:=[^\n]*)?$/u.test(text) ? text : null;
}

/** What of an engine's may be deleted, and what stays. */
export const DOCKER_SETTINGS = {
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
    expected: `a whole number from 0 to ${MAX_COUNT}`,
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
} as const;
