import { describe, expect, it } from "vitest";
import { createLogger } from "./create-logger.js";

function lines(isTerminal: boolean, level: "debug" | null = null): string[] {
  const written: string[] = [];
  const log = createLogger({ level, isTerminal, writeLine: (line) => written.push(line) });
  log.debug("detail");
  log.info("fact");
  log.child({ module: "m" }).warn({ err: new Error("why") }, "trouble");
  return written;
}

describe("the log", () => {
  it("is JSON with names of levels from info on, where no person watches", () => {
    const entries = lines(false).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(entries).toMatchObject([
      { level: "info", msg: "fact", name: "continuum-core" },
      { level: "warn", msg: "trouble", module: "m", err: { message: "why" } },
    ]);
    expect(entries[0]?.["time"]).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/u);
  });

  it("is a short text from warn on at a terminal", () => {
    expect(lines(true)).toEqual(["warn: trouble (m)"]);
  });

  it("doesn't steer that terminal by what it tells of others", () => {
    const written: string[] = [];
    const log = createLogger({ level: null, isTerminal: true, writeLine: (line) => written.push(line) });
    log.warn("pool \u001b[2Jkv\nfailed");
    expect(written).toEqual(["warn: pool  [2Jkv failed"]);
  });

  it("tells as much as it is told to", () => {
    expect(lines(true, "debug")).toEqual(["debug: detail", "info: fact", "warn: trouble (m)"]);
  });
});
