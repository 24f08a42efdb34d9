import { homedir } from "node:os";
import { describe, expect, it } from "vitest";
import { EndpointError } from "./endpoint-error.js";
import { resolveEndpoint } from "./endpoint.js";

describe("the default socket", () => {
  it.each([
    [{ CONTINUUM_HOME: "/c", XDG_RUNTIME_DIR: "/run/user/1" }, "unix:///c/core.sock"],
    [{ XDG_RUNTIME_DIR: "/run/user/1" }, "unix:///run/user/1/continuum/core.sock"],
    [{ CONTINUUM_HOME: "", XDG_RUNTIME_DIR: "relative" }, `unix://${homedir()}/.continuum/core.sock`],
    [{ CONTINUUM_CORE_URL: "" }, `unix://${homedir()}/.continuum/core.sock`],
  ])("%j is %s", (env, url) => {
    expect(resolveEndpoint(env).url).toBe(url);
  });
});

describe("a URL", () => {
  it.each([
    ["unix:///run/c.sock", "unix:///run/c.sock"],
    ["/run/c.sock", "unix:///run/c.sock"],
    ["c.sock", `unix://${process.cwd()}/c.sock`],
    ["tcp://127.0.0.1:80", "tcp://127.0.0.1:80"],
    ["tcp://[::1]:7000", "tcp://[::1]:7000"],
  ])("%s is %s", (text, url) => {
    expect(resolveEndpoint({ CONTINUUM_CORE_URL: text }).url).toBe(url);
    expect(resolveEndpoint({ CONTINUUM_CORE_URL: "/other" }, text).url).toBe(url);
  });

  it("keeps an IPv6 host without its brackets, as sockets want it", () => {
    expect(resolveEndpoint({}, "tcp://[::1]:7000")).toMatchObject({ host: "::1", port: 7000 });
  });

  it.each([
    ["http://localhost:1", "badScheme"],
    ["", "badScheme"],
    ["unix://relative", "badPath"],
    ["unix:///directory/", "badPath"],
    [`/${"x".repeat(200)}`, "badPath"],
    ["tcp://", "badAddress"],
    ["tcp://localhost", "badAddress"],
    ["tcp://localhost:0", "badAddress"],
    ["tcp://localhost:99999", "badAddress"],
    ["tcp://localhost:1/path", "badAddress"],
    ["tcp://user@localhost:1", "badAddress"],
  ])("refuses %j as %s", (text, code) => {
    expect(() => resolveEndpoint({}, text)).toThrow(EndpointError);
    expect(() => resolveEndpoint({}, text)).toThrow(expect.objectContaining({ code, url: text }) as Error);
  });
});
