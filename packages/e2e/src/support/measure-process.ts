import { readdirSync, readFileSync } from "node:fs";

/** What a process holds: resident memory and open files; Linux only. */
export function measureProcess(pid: number): { readonly rssBytes: number; readonly files: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = Number(/VmRSS:\s+(\d+) kB/u.exec(status)?.[1] ?? Number.NaN);
  return { rssBytes: kilobytes * 1024, files: readdirSync(`/proc/${pid}/fd`).length };
}
