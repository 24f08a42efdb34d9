import { expect, test } from "vitest";
import { compilerErrorsOf } from "./consumer-project.js";
import { Findings } from "./findings.js";

test("a check that found something stands in the table and before it", () => {
  const findings = new Findings();
  findings.add("@x/a", "publint", []);
  findings.add("@x/a", "bin", ["got 1"]);
  findings.add("@x/b", "publint", []);
  expect(findings.failed).toBe(true);
  expect(findings.format(["@x/a", "@x/b"])).toEqual([
    "@x/a, bin: got 1",
    "",
    "package  publint  bin",
    "@x/a     ok       FAILED",
    "@x/b     ok       -",
  ]);
});

test("a second call of a check doesn't hide what the first found", () => {
  const findings = new Findings();
  findings.add("@x/a", "bin", ["got 1"]);
  findings.add("@x/a", "bin", []);
  expect(findings.failed).toBe(true);
});

test("compiler errors go to the package that they concern, an unknown place to every one", () => {
  const all = [{ name: "@x/a" }, { name: "@x/a-more" }];
  const own = "src/a.ts(1,2): error TS2339: no such property";
  const types = "node_modules/@x/a-more/dist/index.d.ts(3,4): error TS2314: one argument";
  const other = "node_modules/zod/index.d.ts(5,6): error TS1005: ';' expected";
  const output = [own, "  more about it", types, other].join("\n");
  expect(compilerErrorsOf(output, "@x/a", all)).toEqual([own, other]);
  expect(compilerErrorsOf(output, "@x/a-more", all)).toEqual([types, other]);
});
