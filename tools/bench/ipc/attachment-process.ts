/** One side of one way to have attachments, in a process of its own; does what its parent says. */
import { readFileSync } from "node:fs";
import { fail } from "./bench-subject.js";
import { type AttachmentSubjectName, ATTACHMENT_SUBJECTS } from "./attachment-subjects.js";

/** What a client answers when it was told to fetch so many bytes. */
export interface AttachmentReply {
  readonly bytes: number;
  readonly seconds: number;
  /** How much more memory the process had at the highest, in bytes, than before; null where that isn't known. */
  readonly peakBytes: number | null;
}

const [role, name, socketPath = ""] = process.argv.slice(2);
const subject = ATTACHMENT_SUBJECTS[name as AttachmentSubjectName];

if (role === "server") await subject.startServer(socketPath);
else {
  const client = await subject.startClient(socketPath);
  process.on("message", (bytes: number) => {
    const before = memory("VmRSS");
    const startedMs = performance.now();
    client.fetch(bytes).then((received) => {
      const seconds = (performance.now() - startedMs) / 1000;
      const peak = memory("VmHWM");
      const peakBytes = before === null || peak === null ? null : peak - before;
      process.send?.({ bytes: received, seconds, peakBytes } satisfies AttachmentReply);
    }, fail);
  });
}
process.on("disconnect", () => process.exit());
process.send?.("ready");

/** A figure of this process, in bytes: what it has now, or had at the highest. */
function memory(figure: "VmRSS" | "VmHWM"): number | null {
  if (process.platform !== "linux") return null;
  const kib = new RegExp(`^${figure}:\\s+(\\d+) kB`, "mu").exec(
    readFileSync("/proc/self/status", "utf8"),
  )?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}
