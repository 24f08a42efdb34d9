import { access, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CoreProcess, startCore } from "./support/core-process.js";
import { connectRaw, type RawPeer } from "./support/raw-peer.js";

const PROTOTYPE_KEYS = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];
const SECRET = "the-secret-of-a-file-that-nobody-asked-for";

/** What no request may do, whoever sends it: name what objects inherit, start a process, read a file. */
describe("a request to a real core", () => {
  let home: string;
  let core: CoreProcess;
  let peer: RawPeer;
  let id = 0;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-safety-"));
    core = await startCore({ args: ["--docker-host", "unix:///nonexistent/docker.sock"] });
    peer = await connectRaw(core.socketPath);
  });
  afterAll(async () => {
    await peer[Symbol.asyncDispose]();
    await core[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  /** The reply to a request whose JSON is written by hand: `__proto__` as a key isn't JSON.stringify's to give. */
  const ask = async (members: string): Promise<string> => {
    id += 1;
    peer.send(`{"requestId":${id},${members}}\n`);
    for (;;) {
      const reply = await peer.next();
      if (reply.requestId === id) return JSON.stringify(reply);
    }
  };
  const isWell = async (): Promise<void> => {
    expect(await ask('"command":"health-check"')).toContain('"healthy":true');
  };

  it.each(PROTOTYPE_KEYS)("can't name %s: as a command, a parameter, a pool or an event", async (key) => {
    expect(await ask(`"command":"${key}"`)).toContain('"unknownCommand"');
    expect(await ask(`"command":"system/${key}"`)).toContain('"unknownCommand"');
    expect(await ask(`"command":"events/subscribe","events":["${key}"]`)).toContain('"invalidParams"');
    const polluted = `"${key}":{"evict":"aggressive","access":"admin-only","polluted":1}`;
    expect(await ask(`"command":"system/docker-tier-stats",${polluted}`)).toContain('"detected":false');
    expect(await ask(`"command":"events/subscribe",${polluted},"events":[]`)).toContain('"events":[]');
    expect(await ask(`"command":"system/pressure-history","pool":"${key}"`)).not.toContain('"internal"');
    const figures = '"capacityBytes":1000,"usedBytes":10,"reportEveryMs":60000';
    // Some of these are names as good as others; they are kept apart from what objects inherit.
    const registered = await ask(`"command":"system/pool-register","name":"${key.toLowerCase()}",${figures}`);
    expect(registered).not.toContain('"internal"');
    expect(await ask('"command":"system/pressure-broker-state"')).toContain('"success":true');
    await ask(`"command":"system/pool-unregister","name":"${key.toLowerCase()}"`);
    expect(await ask('"command":"health-check"')).not.toContain("polluted");
    await isWell();
  });

  it("reads no file and starts no process, whatever its strings say", async () => {
    const secretPath = join(home, "secret");
    const marker = join(home, "started");
    await writeFile(secretPath, SECRET);
    const texts = [
      secretPath,
      `file://${secretPath}`,
      `../../../../../..${secretPath}`,
      `$(touch ${marker})`,
      `; touch ${marker} #`,
      `| touch ${marker}`,
      `{"$ref":"${secretPath}"}`,
      "\u0000",
    ];
    for (const { name, params } of await readSpecs()) {
      for (const text of texts) {
        const members = params.map((param) => {
          const value = /array|\[\]/iu.test(param.type) ? [text] : text;
          return `,${JSON.stringify(param.name)}:${JSON.stringify(value)}`;
        });
        const reply = await ask(`"command":${JSON.stringify(name)}${members.join("")}`);
        expect(reply).not.toContain(SECRET);
        expect(await childrenOf(core.pid)).toEqual([]);
      }
    }
    await expect(access(marker)).rejects.toMatchObject({ code: "ENOENT" });
    expect(await readFile(secretPath, "utf8")).toBe(SECRET);
    await isWell();
  });
  it("is told what is wrong with it without having its own megabyte sent back", async () => {
    const text = "y".repeat(400_000);
    let refusals = 0;
    for (const { name, params } of await readSpecs()) {
      for (const param of params.filter(({ type }) => !/^(?:number|boolean)$/u.test(type))) {
        const given = params.filter((each) => each === param || each.required);
        const members = given.map(({ name: key, type }) => {
          const value = type === "number" ? 1000 : text;
          return `,"${key}":${JSON.stringify(/array|\[\]/iu.test(type) ? [value] : value)}`;
        });
        const reply = await ask(`"command":"${name}"${members.join("")}`);
        if (reply.includes('"success":true')) continue;
        refusals += 1;
        expect(reply.length, `${name} with a long ${param.name}`).toBeLessThan(10_000);
      }
    }
    expect(refusals).toBeGreaterThan(10);
    await isWell();
  });
});

/** What is read of a command's spec. */
interface CommandSpec {
  readonly name: string;
  readonly params: readonly { readonly name: string; readonly type: string; readonly required: boolean }[];
}

/** Every command of the contract with its parameters, as its spec says. */
async function readSpecs(): Promise<readonly CommandSpec[]> {
  const directory = join(import.meta.dirname, "../../../schemas/commands");
  const files = await readdir(directory);
  const texts = await Promise.all(files.map((file) => readFile(join(directory, file), "utf8")));
  return texts.map((text) => JSON.parse(text) as CommandSpec);
}

/** Processes that a process has started, where the system tells. */
async function childrenOf(pid: number): Promise<readonly string[]> {
  if (process.platform !== "linux") return [];
  const tasks = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, "utf8").catch(() => "")),
  );
  return lists.flatMap((list) => list.split(" ").filter((each) => each !== ""));
}
