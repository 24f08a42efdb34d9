import { spawn } from "node:child_process";
import { once } from "node:events";

/** A process that has a file open until it is disposed of. */
export async function openElsewhere(path: string): Promise<{ pid: number } & AsyncDisposable> {
  return program(
    `require("fs").openSync(process.argv[1], "r"); console.log("ready"); setInterval(() => {}, 1e6)`,
    [path],
  );
}

/** Holds a lock as huggingface_hub does: flock on a file. */
export async function lockElsewhere(path: string): Promise<{ pid: number } & AsyncDisposable> {
  const child = spawn("flock", [path, "sh", "-c", "echo ready; cat"], { stdio: ["pipe", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.stdin.end();
      await exited;
    },
  };
}

async function program(source: string, args: readonly string[]): Promise<{ pid: number } & AsyncDisposable> {
  const child = spawn(process.execPath, ["-e", source, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return {
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** A process that adds so many revisions to a repository as a downloader does: written, renamed, linked, read. */
export async function downloadElsewhere(
  repository: string,
  count: number,
): Promise<{ ended: Promise<number> } & AsyncDisposable> {
  const source = `
    const fs = require("fs"), path = require("path");
    const [repo, count] = process.argv.slice(1);
    console.log("ready");
    for (let i = 0; i < Number(count); i++) {
      const blob = path.join(repo, "blobs", "n" + i);
      fs.writeFileSync(blob + ".incomplete", Buffer.alloc(20_000));
      fs.renameSync(blob + ".incomplete", blob);
      const snapshot = path.join(repo, "snapshots", "new" + i);
      fs.mkdirSync(snapshot, { recursive: true });
      fs.symlinkSync("../../blobs/n" + i, path.join(snapshot, "data"));
      fs.readFileSync(path.join(snapshot, "data"));
    }`;
  const child = spawn(process.execPath, ["-e", source, repository, `${count}`], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(child, "exit").then(([code]) => code as number);
  await once(child.stdout, "data");
  return {
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
