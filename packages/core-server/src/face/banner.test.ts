import { describe, expect, it } from "vitest";
import { resolveConfig } from "../config/resolve-config.js";
import { bannerLines } from "./banner.js";

const stats = { capacityBytes: 100e9, usedBytes: 62e9, pressure: 0.62, detected: true };
const probe = { kind: "detected", allocatedBytes: 100e9, usedBytes: 62e9, path: "/var/lib/docker" } as const;
const nothing = { capacityBytes: 0, usedBytes: 0, pressure: 0, detected: false };
const facts = {
  version: "1.2.3",
  pid: 42,
  endpoint: "unix:///run/core.sock",
  tokenPath: null,
  tier: { stats, probe },
  pressure: null,
};

describe("the first lines", () => {
  it("say where it listens, how full the tier is, that nothing is deleted, and how to change that", () => {
    expect(bannerLines({ ...facts, config: resolveConfig({}, {}) })).toEqual([
      "continuum-core 1.2.3 (pid 42) listening on unix:///run/core.sock",
      "tier docker: /var/lib/docker: 62.0 GB of 100.0 GB used (62 %, warning)",
      "eviction is off: the core only observes, and says what it would delete",
      expect.stringContaining("--evict conservative"),
    ]);
  });

  it("say it where inodes run out before bytes", () => {
    const [, line] = bannerLines({ ...facts, pressure: 0.97, config: resolveConfig({}, {}) });
    expect(line).toBe("tier docker: /var/lib/docker: 62.0 GB of 100.0 GB used (62 %, inodes 97 %, critical)");
  });

  it("say what may be deleted when eviction is on", () => {
    const config = resolveConfig({ evict: "standard", minAgeMs: "7d" }, {});
    expect(bannerLines({ ...facts, config }).slice(2)).toEqual([
      "eviction is on (standard): from 80 % down to 60 %; nothing younger than 7d, nothing labelled continuum.keep=true",
    ]);
  });

  it.each([
    [{}, {}, "/home/x/token", "in /home/x/token, where clients of this user find it"],
    [{ tokenFile: "/t" }, {}, "/t", "in /t; clients need CONTINUUM_TOKEN_FILE=/t"],
    [{}, { CONTINUUM_TOKEN_FILE: "/t" }, "/t", "in /t; clients need CONTINUUM_TOKEN_FILE=/t"],
    [
      {},
      { CONTINUUM_TOKEN: "correct-horse-battery" },
      null,
      "the one in CONTINUUM_TOKEN; clients need the same CONTINUUM_TOKEN, or CONTINUUM_TOKEN_FILE=PATH of a file with it",
    ],
  ])("say of a token by %j and %j how clients come by it", (flags, env, tokenPath, where) => {
    const config = resolveConfig({ ...flags, socket: "tcp://127.0.0.1:0" }, env);
    expect(bannerLines({ ...facts, tokenPath, config })[1]).toBe(`a token is owed: ${where}`);
  });

  it("name each cache, its budget and what may be deleted from it", () => {
    const caches = "models=/srv/hub@200GB,pip=/srv/pip";
    const config = resolveConfig({ evict: "standard", caches, cacheEvict: "on" }, {});
    expect(bannerLines({ ...facts, config }).slice(3)).toEqual([
      "tier cache-models: /srv/hub, up to 200.0 GB; eviction is on, nothing younger than 7d",
      "tier cache-pip: /srv/pip, as much as its filesystem holds; eviction is on, nothing younger than 7d",
    ]);
  });

  it.each([
    [
      { kind: "notFound", path: "/var/run/docker.sock", reason: "no such file" } as const,
      "tier docker: not detected: /var/run/docker.sock: no such file",
    ],
    [
      { kind: "unsupported", os: "aix", reason: "no way to measure it" } as const,
      "tier docker: not supported on aix: no way to measure it",
    ],
  ])("say what was tried: %j", (missing, line) => {
    const tier = { stats: nothing, probe: missing };
    expect(bannerLines({ ...facts, tier, config: resolveConfig({}, {}) })[1]).toBe(line);
  });
});
