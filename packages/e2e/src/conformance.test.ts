import {
  ClientSubject,
  OWN_CLIENT_SUBJECT,
  readClientVectors,
  readCoreVectors,
  runClientVector,
  runCoreVector,
} from "@continuum/conformance";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CoreProcess, startCore } from "./support/core-process.js";

describe("this core, by its socket alone", () => {
  let core: CoreProcess;
  beforeAll(async () => {
    core = await startCore({ args: ["--docker-host", "unix:///nonexistent/docker.sock"] });
  }, 60_000);
  afterAll(() => core[Symbol.asyncDispose]());

  it.each(readCoreVectors().map((vector) => [vector.name, vector] as const))("%s", async (name, vector) => {
    const target = { connect: { path: core.socketPath }, withinMs: 20_000, greeting: null };
    expect(await runCoreVector(vector, target)).toEqual({ name, ok: true });
  });
});

describe("this client, by a scripted peer", () => {
  const subject = new ClientSubject(OWN_CLIENT_SUBJECT);
  afterAll(() => subject[Symbol.asyncDispose]());

  it.each(readClientVectors().map((vector) => [vector.name, vector] as const))("%s", async (name, vector) => {
    expect(await runClientVector(vector, subject, 20_000)).toEqual({ name, ok: true });
  });
});
