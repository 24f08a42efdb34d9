import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findRunProcesses } from "./run-processes.js";

const RUN = "/tmp/continuum-run-abc";
const SELF = 10;
let proc = "";
beforeEach(() => (proc = mkdtempSync(join(tmpdir(), "run-processes-test-"))));
afterEach(() => rmSync(proc, { recursive: true, force: true }));

function addProcess(pid: number, parent: number, environ: readonly string[], args = ["node", "a.js"]): void {
  mkdirSync(join(proc, String(pid)));
  const file = (name: string, text: string): void => writeFileSync(join(proc, String(pid), name), text);
  file("environ", environ.map((variable) => `${variable}\0`).join(""));
  file("cmdline", args.map((arg) => `${arg}\0`).join(""));
  file("stat", `${pid} (a) b (c) S ${parent} 1 1 0`);
}

test("what has the directory, or one below it, in its environment; who came of this process is told apart", () => {
  addProcess(1, 0, []);
  addProcess(SELF, 1, [`TMPDIR=${RUN}`]);
  addProcess(11, SELF, ["HOME=/root", `TMPDIR=${RUN}`]);
  addProcess(12, 11, [`CONTINUUM_HOME=${RUN}/continuum-e2e-1`]);
  addProcess(13, 1, [`A=unix://${RUN}/core.sock`], ["continuum-core", "--evict", "off"]);
  expect(findRunProcesses([RUN], proc, SELF)).toEqual([
    { pid: 11, command: "node a.js", isDescendant: true },
    { pid: 12, command: "node a.js", isDescendant: true },
    { pid: 13, command: "continuum-core --evict off", isDescendant: false },
  ]);
});

test("nobody else's: other runs, and who only names a file there", () => {
  addProcess(21, 1, ["TMPDIR=/tmp/continuum-run-abcd"]);
  addProcess(22, 1, ["TMPDIR=/tmp"], ["less", `${RUN}/log`]);
  addProcess(23, 1, []);
  expect(findRunProcesses([RUN], proc, SELF)).toEqual([]);
});
