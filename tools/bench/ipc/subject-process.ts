/** One side of one subject, in a process of its own; does what its parent says. */
import { readFileSync } from "node:fs";
import { fail, type PayloadName } from "./bench-subject.js";
import { measureLoad } from "./measure-load.js";
import type { LoadTask } from "./subject-pair.js";
import { type SubjectName, SUBJECTS } from "./subjects/index.js";

const [role, name, payload, socketPath = ""] = process.argv.slice(2);
const subject = SUBJECTS[name as SubjectName];

if (role === "server") {
  const { pid } = await subject.startServer(socketPath, payload as PayloadName);
  process.on("message", () => process.send?.(cpuUsOf(pid)));
} else {
  const client = await subject.startClient(socketPath, payload as PayloadName);
  process.on("message", ({ inFlight, durationMs }: LoadTask) => {
    measureLoad(client, inFlight, durationMs).then((sample) => process.send?.(sample), fail);
  });
}
// What it started ends with it.
process.on("disconnect", () => process.exit());
process.send?.("ready");

function cpuUsOf(pid: number): number {
  if (pid === process.pid) {
    const { user, system } = process.cpuUsage();
    return user + system;
  }
  // Nanoseconds that its main thread ran; the others of redis-server are idle here.
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1000;
}
