import { describe, expect, it } from "vitest";
import { candidateEndpoints, DockerHostError, formatDockerEndpoint, parseDockerHost } from "./docker-host.js";

describe("parseDockerHost", () => {
  it.each([
    ["unix:///run/d.sock", { kind: "unix", path: "/run/d.sock" }],
    ["/run/d.sock", { kind: "unix", path: "/run/d.sock" }],
    ["tcp://127.0.0.1:2375", { kind: "tcp", host: "127.0.0.1", port: 2375 }],
    ["tcp://engine", { kind: "tcp", host: "engine", port: 2375 }],
    ["tcp://engine:80", { kind: "tcp", host: "engine", port: 80 }],
    ["tcp://[::1]:2376/", { kind: "tcp", host: "::1", port: 2376 }],
  ])("reads %s", (text, expected) => {
    expect(parseDockerHost(text)).toEqual(expected);
  });

  it.each([
    ["ssh://me@host", "unsupportedScheme", "ssh://"],
    ["npipe:////./pipe/docker_engine", "unsupportedScheme", "npipe://"],
    ["unix://relative.sock", "invalid", "absolute"],
    ["tcp://host:99999", "invalid", "tcp://host:port"],
    ["tcp://host:1/path", "invalid", "tcp://host:port"],
    ["docker.sock", "invalid", "unix:///"],
    ["", "invalid", "unix:///"],
  ])("refuses %s as %s and says what can be used", (text, code, hint) => {
    let error: unknown;
    try {
      parseDockerHost(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(DockerHostError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(hint) as string });
  });

  it("writes endpoints as it reads them", () => {
    for (const text of ["unix:///a/b", "tcp://h:1", "tcp://[::1]:2"]) {
      expect(formatDockerEndpoint(parseDockerHost(text))).toBe(text);
    }
  });
});

describe("candidateEndpoints", () => {
  it("searches the system's, the rootless and Docker Desktop's sockets", () => {
    const paths = candidateEndpoints("/home/me", { XDG_RUNTIME_DIR: "/run/user/1" }).map(
      formatDockerEndpoint,
    );
    expect(paths).toEqual([
      "unix:///var/run/docker.sock",
      "unix:///run/user/1/docker.sock",
      "unix:///home/me/.docker/run/docker.sock",
      "unix:///home/me/.docker/desktop/docker.sock",
      "unix:///run/podman/podman.sock",
      "unix:///run/user/1/podman/podman.sock",
    ]);
  });
});
