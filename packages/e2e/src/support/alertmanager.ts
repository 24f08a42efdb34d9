import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { describe } from "vitest";

/** What Debian and everybody else call the program. */
const PROGRAMS = ["prometheus-alertmanager", "alertmanager"];

/** An alert as `GET /api/v2/alerts` gives it; tests look into it. */
export interface SeenAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  readonly fingerprint: string;
  readonly status: { readonly state: string };
}

/** A real Alertmanager with a directory of its own, on loopback and without peers. */
export interface Alertmanager extends AsyncDisposable {
  readonly url: string;
  alerts(): Promise<readonly SeenAlert[]>;
  /** Silences what has this label for an hour. */
  silence(name: string, value: string): Promise<void>;
}

/** Starts one that tells `hook` of what fires and what is resolved, group by group. */
export async function startAlertmanager(hook: string): Promise<Alertmanager> {
  const program = findProgram();
  if (program === null) throw new Error(`no Alertmanager here: ${PROGRAMS.join(", ")} not found`);
  const directory = await mkdtemp(join(tmpdir(), "continuum-alertmanager-"));
  const config =
    "route: {receiver: hook, group_wait: 50ms, group_interval: 200ms, group_by: [alertname, tier, severity]}\n" +
    `receivers: [{name: hook, webhook_configs: [{url: "${hook}", send_resolved: true}]}]\n`;
  await writeFile(join(directory, "config.yml"), config);
  const args = [
    `--config.file=${join(directory, "config.yml")}`,
    `--storage.path=${join(directory, "data")}`,
    "--web.listen-address=127.0.0.1:0",
    "--cluster.listen-address=",
  ];
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(child, "exit");
  const end = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`the Alertmanager ended:\n${said}`)));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const address = /"Listening on" address=(\S+)/u.exec(said)?.[1];
      if (address !== undefined) resolve(`http://${address}`);
    });
  }).catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return {
    url,
    alerts: async () => (await (await fetch(`${url}/api/v2/alerts`)).json()) as readonly SeenAlert[],
    silence: async (name, value) => {
      const body = JSON.stringify({
        matchers: [{ name, value, isRegex: false, isEqual: true }],
        startsAt: new Date().toISOString(),
        endsAt: new Date(Date.now() + 3_600_000).toISOString(),
        createdBy: "e2e",
        comment: "known",
      });
      const headers = { "content-type": "application/json" };
      const response = await fetch(`${url}/api/v2/silences`, { method: "POST", headers, body });
      if (!response.ok) throw new Error(`the silence was refused: ${response.status}`);
    },
    [Symbol.asyncDispose]: end,
  };
}

/**
 * A suite that needs a real Alertmanager. Where there is none it says so and its tests count as skipped; in CI it is
 * part of the test bed, so there they fail instead.
 */
export function describeWithAlertmanager(name: string, body: () => void): void {
  const skip = findProgram() === null && process.env["CI"] !== "true";
  if (skip) console.warn(`skipped, no Alertmanager here (Debian: prometheus-alertmanager): ${name}`);
  describe.skipIf(skip)(name, body);
}

function findProgram(): string | null {
  for (const directory of (process.env["PATH"] ?? "").split(delimiter)) {
    for (const program of PROGRAMS) {
      try {
        accessSync(join(directory, program), constants.X_OK);
        return join(directory, program);
      } catch {
        // Not in this directory.
      }
    }
  }
  return null;
}
