import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ScriptedPeer } from "./testing/scripted-peer.js";

const packageDir = fileURLToPath(new URL("..", import.meta.url));
const stats = { capacityBytes: 10, usedBytes: 5, pressure: 0.5, detected: true };

/** Runs a script in a process of its own, which has to end by itself. */
async function run(url: string, script: string): Promise<{ code: number | null; output: string }> {
  const source = `import { connectCore } from "@continuum/ipc-client";
    const client = connectCore({ url: ${JSON.stringify(url)} });
    ${script}`;
  const args = ["--conditions=@continuum/source", "--import", "tsx", "--input-type=module", "--eval", source];
  const child = spawn(process.execPath, args, {
    cwd: packageDir,
    // Colour that the runner forces would be part of what a child prints.
    env: { ...process.env, FORCE_COLOR: "0" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 20_000,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

describe("a process ends by itself", () => {
  it("while its client is idle, connected", { timeout: 30_000 }, async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    const { code, output } = await run(peer.path, `console.log((await client.dockerTierStats()).pressure);`);
    expect([code, output]).toEqual([0, "0.5\n"]);
  });

  it("after close, with nothing left open", { timeout: 30_000 }, async () => {
    await using peer = await ScriptedPeer.start((request) => request.reply(stats));
    const { code, output } = await run(
      peer.path,
      `const open = () => process.getActiveResourcesInfo().filter((name) => /Pipe|Timeout|TCP/u.test(name)).length;
      const before = open();
      await client.dockerTierStats();
      client.events("pressure-alert");
      await client.close();
      console.log(open() - before);`,
    );
    expect([code, output]).toEqual([0, "0\n"]);
  });

  it("but not while a request waits for its answer", { timeout: 30_000 }, async () => {
    await using peer = await ScriptedPeer.start((request) => setTimeout(() => request.reply(stats), 300));
    const { code, output } = await run(
      peer.path,
      `client.dockerTierStats().then((it) => console.log(it.pressure));`,
    );
    expect([code, output]).toEqual([0, "0.5\n"]);
  });

  it("nor while a subscription is open", { timeout: 30_000 }, async () => {
    await using peer = await ScriptedPeer.start((request) => {
      request.reply({ events: ["pressure-alert"] });
      const alert = {
        tierName: "docker",
        pressure: 1,
        tier: "critical",
        bytesFreed: 0,
        actionTaken: true,
        atMs: 1,
      };
      setTimeout(() => request.connection.push("pressure-alert", alert), 300);
    });
    const { code, output } = await run(
      peer.path,
      `for await (const { tierName } of client.events("pressure-alert")) { console.log(tierName); break; }`,
    );
    expect([code, output]).toEqual([0, "docker\n"]);
  });
});
