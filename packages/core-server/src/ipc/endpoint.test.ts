import { describe, expect, it } from "vitest";
import {
  decodeEndpoint,
  defaultEndpoint,
  defaultStateDirectory,
  formatEndpoint,
  resolveCoreDirectory,
} from "./endpoint.js";

describe("the core's directory", () => {
  it.each([
    [{ CONTINUUM_HOME: "/c", XDG_RUNTIME_DIR: "/run/user/1" }, "/c"],
    [{ XDG_RUNTIME_DIR: "/run/user/1" }, "/run/user/1/continuum"],
    [{ CONTINUUM_HOME: "", XDG_RUNTIME_DIR: "relative" }, "/home/me/.continuum"],
    [{}, "/home/me/.continuum"],
  ])("%j is %s", (env, directory) => {
    expect(resolveCoreDirectory(env, "/home/me")).toBe(directory);
    expect(defaultEndpoint(env, "/home/me")).toEqual({
      kind: "unix",
      path: `${directory}/core.sock`,
      ownsDirectory: true,
    });
  });
});

describe("decodeEndpoint", () => {
  it.each([
    ["unix:///run/c.sock", "unix:///run/c.sock"],
    ["/run/c.sock", "unix:///run/c.sock"],
    ["tcp://127.0.0.1:80", "tcp://127.0.0.1:80"],
    ["tcp://127.8.9.1:7000", "tcp://127.8.9.1:7000"],
    ["tcp://[::1]:7000", "tcp://[::1]:7000"],
    ["tcp://localhost:0", "tcp://127.0.0.1:0"],
  ])("%s listens on %s", (text, url) => {
    expect(formatEndpoint(decodeEndpoint(text, "--socket"))).toBe(url);
  });

  it("takes a relative path from the working directory", () => {
    expect(decodeEndpoint("c.sock", "--socket")).toMatchObject({ path: `${process.cwd()}/c.sock` });
  });

  it.each([
    "tcp://0.0.0.0:7000",
    "tcp://[::]:7000",
    "tcp://192.168.0.1:7000",
    "tcp://example.org:7000",
    "tcp://127.0.0.1.example.org:7000",
    "tcp://localhost.example.org:7000",
  ])("refuses %s: not loopback", (text) => {
    expect(() => decodeEndpoint(text, "CONTINUUM_CORE_URL")).toThrow(/CONTINUUM_CORE_URL.*loopback/u);
  });

  it.each([
    "",
    "http://localhost:1",
    "tcp://",
    "tcp://localhost",
    "tcp://localhost:99999",
    "tcp://localhost:1/path",
    "tcp://user@localhost:1",
    "unix://relative",
    "unix:///directory/",
    `/${"x".repeat(200)}`,
  ])("refuses %j", (text) => {
    expect(() => decodeEndpoint(text, "--socket")).toThrow(
      expect.objectContaining({ name: "CoreError", code: "usage" }) as Error,
    );
  });
});

describe("the state directory", () => {
  it.each([
    [{ CONTINUUM_HOME: "/c", XDG_STATE_HOME: "/s" }, "/c/state"],
    [{ XDG_STATE_HOME: "/s", XDG_RUNTIME_DIR: "/run/user/1" }, "/s/continuum"],
    [{ XDG_STATE_HOME: "relative" }, "/home/me/.local/state/continuum"],
  ])("%j is %s", (env, directory) => {
    expect(defaultStateDirectory(env, "/home/me")).toBe(directory);
  });
});
