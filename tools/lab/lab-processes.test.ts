import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findLabProcesses } from "./lab-processes.js";

const LAB = "/tmp/continuum-lab-abc";
let proc = "";
beforeEach(() => (proc = mkdtempSync(join(tmpdir(), "lab-processes-test-"))));
afterEach(() => rmSync(proc, { recursive: true, force: true }));

function addProcess(pid: number, args: readonly string[], cgroup = "0::/user.slice\n"): void {
  mkdirSync(join(proc, String(pid)));
  writeFileSync(join(proc, String(pid), "cmdline"), args.map((arg) => `${arg}\0`).join(""));
  writeFileSync(join(proc, String(pid), "cgroup"), cgroup);
}

test("the engine, containerd, shims, the registry, and containers by their control group", () => {
  addProcess(11, ["/usr/sbin/dockerd", "--data-root", `${LAB}/mnt/data`]);
  addProcess(12, ["containerd", "--config", `${LAB}/exec/containerd/containerd.toml`]);
  addProcess(13, ["/usr/bin/containerd-shim-runc-v2", "-address", `${LAB}/exec/containerd/containerd.sock`]);
  addProcess(14, ["/usr/bin/docker-registry", "serve", `${LAB}/registry.json`]);
  addProcess(15, ["/bin/busybox", "sleep", "9"], "9:name=systemd:/continuum-lab-abc/0123\n");
  addProcess(16, ["/bin/busybox", "sleep", "9"], "0::/continuum-lab-abc/0123\n");
  expect(findLabProcesses(LAB, "all", proc)).toEqual([11, 12, 13, 14, 15, 16]);
  expect(findLabProcesses(LAB, "engine", proc)).toEqual([11, 12, 13, 15, 16]);
});

test("nobody else's: other labs, other engines, clients and shells that only name the lab, zombies", () => {
  addProcess(21, ["/usr/sbin/dockerd", "--data-root", `${LAB}d/mnt/data`]);
  addProcess(22, ["/usr/sbin/dockerd"]);
  addProcess(23, ["node", "main.js", "--docker-host", `unix://${LAB}/docker.sock`]);
  addProcess(24, ["sh", "-c", `ls ${LAB}/mnt`]);
  addProcess(25, ["/bin/busybox", "sleep", "9"], "0::/continuum-lab-abcd/0123\n");
  addProcess(26, [], "0::/continuum-lab-abc/0123\n");
  expect(findLabProcesses(LAB, "all", proc)).toEqual([]);
});
