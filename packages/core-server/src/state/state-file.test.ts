import { MemoryLedger, MemoryUseStore, type EvictionLedger, type UseStore } from "@continuum/pool-docker";
import Database from "libsql";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { systemClock } from "@continuum/broker-core";
import { eachInDirectory, line, marker, use } from "../testing/state-fixtures.js";
import { openState } from "./open-state.js";
import { StateFile } from "./state-file.js";

const log = pino({ level: "silent" });
const dir = eachInDirectory();

describe.each([
  ["in a file", (): UseStore & EvictionLedger => new StateFile(join(dir(), "state.db"))],
  [
    "in memory",
    (): UseStore & EvictionLedger =>
      Object.assign(new MemoryUseStore(), { ledger: new MemoryLedger() }, ledgerOf(new MemoryLedger())),
  ],
])("state %s", (_where, open) => {
  it("remembers uses, forgets what is removed, and knows nothing at first", () => {
    const state = open();
    expect(state.load()).toEqual({ uses: new Map(), marker: null });
    state.save(
      new Map([
        ["a", use(1)],
        ["b", use(2)],
      ]),
      [],
      marker,
    );
    state.save(new Map([["a", use(3)]]), ["b"], { ...marker, gapCount: 3 });
    expect(state.load()).toEqual({ uses: new Map([["a", use(3)]]), marker: { ...marker, gapCount: 3 } });
  });

  it("gives the ledger page by page, newest first, by eviction and by thing", () => {
    const state = open();
    const sequences = ["a", "b", "c"].map((id) => state.append(line(id, id === "c" ? "f" : "e")));
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b));
    expect(state.page({ limit: 2 }).map(({ id }) => id)).toEqual(["c", "b"]);
    expect(state.page({ limit: 2, beforeSequence: sequences[1] ?? 0 }).map(({ id }) => id)).toEqual(["a"]);
    expect(state.byEviction("e").map(({ id }) => id)).toEqual(["a", "b"]);
    expect(state.byImage("c")).toEqual([{ ...line("c", "f"), sequence: sequences[2] }]);
    expect(state.byImage("none")).toEqual([]);
  });
});

function ledgerOf(ledger: MemoryLedger): EvictionLedger {
  return {
    append: (entry) => ledger.append(entry),
    page: (options) => ledger.page(options),
    byEviction: (id) => ledger.byEviction(id),
    byImage: (id) => ledger.byImage(id),
  };
}

describe("the state's file", () => {
  const path = (): string => join(dir(), "sub", "state.db");

  it("is its owner's alone, and one core's at a time", () => {
    const state = new StateFile(path());
    expect(statSync(join(dir(), "sub")).mode & 0o777).toBe(0o700);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(() => new StateFile(path())).toThrow(expect.objectContaining({ code: "locked" }) as Error);
    state.close();
    new StateFile(path()).close();
  });

  it("keeps the newest lines of the ledger, and some", () => {
    const state = new StateFile(path(), { ledgerLines: 100 });
    for (let i = 0; i < 1_300; i++) state.append(line(`${i}`));
    const kept = state.page({ limit: 20_000 });
    expect(kept.length).toBeGreaterThanOrEqual(100);
    expect(kept.length).toBeLessThan(700);
    expect(kept[0]?.id).toBe("1299");
    state.close();
  });

  it("keeps no more of them when every core writes only a few", () => {
    for (let core = 0; core < 5; core++) {
      const state = new StateFile(path(), { ledgerLines: 100 });
      for (let i = 0; i < 200; i++) state.append(line(`${core}-${i}`));
      expect(state.page({ limit: 20_000 }).length).toBeLessThan(700);
      state.close();
    }
  });

  it("makes its reserve anew when one was cut off in the middle", () => {
    new StateFile(path()).close();
    const db = new Database(path());
    db.exec("CREATE TABLE reserve (filler BLOB)");
    for (let i = 0; i < 5; i++) db.exec("INSERT INTO reserve VALUES (zeroblob(4000))");
    db.exec("VACUUM");
    db.close();
    const sizeBefore = statSync(path()).size;
    const state = new StateFile(path());
    expect(statSync(path()).size - sizeBefore).toBeGreaterThan(2_000_000);
    state.reserve();
    state.close();
  });

  it("is there again for the next core", () => {
    const first = new StateFile(path());
    first.save(new Map([["a", use(1)]]), [], marker);
    first.append(line("a"));
    first.close();
    const second = new StateFile(path());
    expect(second.load().uses.get("a")).toEqual(use(1));
    expect(second.byImage("a")).toHaveLength(1);
    expect(second.append(line("b"))).toBeGreaterThan(second.byImage("a")[0]?.sequence ?? 0);
    second.close();
  });

  it("refuses one that a newer core wrote, and leaves it as it is", () => {
    new StateFile(path()).close();
    const db = new Database(path());
    db.exec("PRAGMA user_version = 99");
    db.close();
    expect(() => new StateFile(path())).toThrow(expect.objectContaining({ code: "newer" }) as Error);
    const state = openState({ directory: join(dir(), "sub"), log, clock: systemClock });
    expect(state.isDurable).toBe(false);
    expect(state.notes[0]).toContain("newer core");
    state.close();
    expect(readdirSync(join(dir(), "sub")).filter((name) => name.includes("damaged"))).toEqual([]);
  });

  it.each([
    [
      "garbage",
      (file: string) => writeFileSync(file, "not a database at all, but long enough to look at".repeat(200)),
    ],
    ["cut off in the middle", (file: string) => truncateSync(file, 9_000)],
  ])("sets a damaged one aside, says so, and begins anew: %s", (_what, damage) => {
    const first = new StateFile(path());
    first.append(line("a"));
    first.close();
    damage(path());
    const state = openState({ directory: join(dir(), "sub"), log, clock: systemClock });
    expect(state.isDurable).toBe(true);
    expect(state.notes.join()).toMatch(/damaged.*set aside/su);
    expect(readdirSync(join(dir(), "sub")).some((name) => name.includes("damaged"))).toBe(true);
    state.append(line("b"));
    expect(state.byImage("b")).toHaveLength(1);
    state.close();
  });

  it("does without a directory that can't be had, and moves there when it can", () => {
    const blocked = join(dir(), "blocked");
    writeFileSync(blocked, "a file where a directory should be");
    const state = openState({ directory: join(blocked, "state"), log, clock: systemClock });
    expect(state.isDurable).toBe(false);
    state.save(new Map([["a", use(1)]]), [], marker);
    state.append(line("a"));
    state.maintain();
    expect(state.isDurable).toBe(false);
    rmSync(blocked);
    state.maintain();
    expect(state.isDurable).toBe(true);
    expect(state.load().uses.get("a")).toEqual(use(1));
    expect(state.byImage("a")).toHaveLength(1);
    state.close();
  });

  it("keeps what it acknowledged when it is killed, again and again", async () => {
    const rounds = process.env["CONTINUUM_LONG_TESTS"] === "1" ? 1_000 : 8;
    const source = join(import.meta.dirname, "state-file.ts");
    const script = `
      import { StateFile } from ${JSON.stringify(source)};
      const state = new StateFile(process.argv[1]);
      const from = state.load().uses.size;
      for (let i = from; ; i++) {
        state.save(new Map([["i" + i, ${JSON.stringify(use(1))}]]), [], ${JSON.stringify(marker)});
        const sequence = state.append({ ...${JSON.stringify(line("x"))}, id: "l" + i });
        process.stdout.write(i + " " + sequence + "\\n");
      }`;
    let acknowledged = -1;
    for (let round = 0; round < rounds; round++) {
      const args = [
        "--conditions=@continuum/source",
        "--import",
        "tsx",
        "--input-type=module",
        "-e",
        script,
        path(),
      ];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
      let output = "";
      let errors = "";
      child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
      const wanted = 1 + ((round * 7) % 13);
      await new Promise<void>((resolve, reject) => {
        child.stdout.on("data", (chunk: Buffer) => {
          output += chunk.toString();
          if (output.split("\n").length > wanted) resolve();
        });
        child.once("exit", () => reject(new Error(errors)));
      });
      child.removeAllListeners("exit");
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
      // A line that is whole was acknowledged.
      const last = output.slice(0, output.lastIndexOf("\n")).split("\n").at(-1) ?? "";
      acknowledged = Number(last.split(" ")[0]);
      const state = new StateFile(path());
      const { uses } = state.load();
      for (let i = 0; i <= acknowledged; i++) expect(uses.has(`i${i}`)).toBe(true);
      expect(state.byImage(`l${acknowledged}`)).toHaveLength(1);
      state.close();
    }
    expect(acknowledged).toBeGreaterThan(0);
  }, 3_600_000);
});
