import { RustCoreIPCClient } from "@continuum/ipc-client";
import { createHmac } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeWithAlertmanager, type SeenAlert, startAlertmanager } from "./support/alertmanager.js";
import { startCore, until } from "./support/core-process.js";
import { startHttpReceiver } from "./support/http-receiver.js";

const args = ["--docker-host", "unix:///nonexistent/docker.sock", "--tick-ms", "250"];

/** A pool of another process that is full and can't free anything: its episode lasts until the pool is gone. */
class StuckPool {
  readonly #answering: Promise<void>;

  private constructor(
    readonly client: RustCoreIPCClient,
    readonly name: string,
    private usedBytes: number,
  ) {
    this.#answering = this.#answer();
  }

  static async register(client: RustCoreIPCClient, name: string, usedBytes: number): Promise<StuckPool> {
    const pool = new StuckPool(client, name, usedBytes);
    await client.healthCheck();
    await client.poolRegister({ name, capacityBytes: 1_000, usedBytes, reportEveryMs: 60_000 });
    return pool;
  }

  async fill(usedBytes: number): Promise<void> {
    this.usedBytes = usedBytes;
    await this.client.poolReport({ name: this.name, usedBytes });
  }

  async go(): Promise<void> {
    await this.client.poolUnregister({ name: this.name });
  }

  async end(): Promise<void> {
    await this.client.close();
    await this.#answering;
  }

  async #answer(): Promise<void> {
    const { name } = this;
    for await (const { evictionId } of this.client.events("pool-evict")) {
      const { usedBytes } = this;
      // The answer, and the report that it is measured by.
      await this.client
        .poolReport({ name, usedBytes, evictionId, freedBytes: 0 })
        .then(() => this.client.poolReport({ name, usedBytes }))
        .catch(() => undefined);
    }
  }
}

describe("the sinks of a core", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "continuum-sinks-"));
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  it("are told by chat and webhooks, while one hangs and one refuses; relief and stop wait for none", async () => {
    const key = Buffer.alloc(32, 5);
    const said = join(home, "said");
    const script = join(home, "say.sh");
    // Garbage, then the arguments, then a child that holds its output: as bad as a program gets that works.
    await writeFile(
      script,
      `#!/bin/sh\nhead -c 3000000 /dev/urandom\nprintf '%s\\n' "$@" >> "${said}"\nsleep 30 &\n`,
    );
    await chmod(script, 0o755);
    let flaky = 0;
    await using receiver = await startHttpReceiver((response, { path }) => {
      // One that never answers, one that is away at first, one that moved, one that works.
      if (path.startsWith("/hangs")) return;
      if (path === "/slack/s3cret" && (flaky += 1) === 1)
        response.writeHead(503, { "retry-after": "1" }).end();
      else if (path === "/moved") response.writeHead(302, { location: "/elsewhere" }).end();
      else response.writeHead(200).end();
    });
    const hooks = ["discord=/hangs", "slack=/slack/s3cret", "slack=/moved", "json=/json"].map((each) =>
      each.replace("=", `=${receiver.url}`),
    );
    await using core = await startCore({
      args: [
        ...args,
        "--alert-command",
        `'${script}' --room 'my room' {text}`,
        "--alert-instance",
        "build-1",
      ],
      env: {
        CONTINUUM_ALERT_WEBHOOKS: hooks.join(","),
        CONTINUUM_ALERT_SECRET: `whsec_${key.toString("base64")}`,
      },
    });
    const client = new RustCoreIPCClient({ url: core.url });
    await using other = new RustCoreIPCClient({ url: core.url });
    const pool = await StuckPool.register(client, "kv", 970);
    const count = (path: string): number => receiver.received.filter((each) => each.path === path).length;
    await until(
      async () => {
        const { sinks } = await other.alertSinks();
        const delivered = sinks.filter((sink) => sink.delivered === 1).map(({ name }) => name);
        return delivered.join() === "log,chat,slack-1,json" ? true : undefined;
      },
      30_000,
      () => JSON.stringify(receiver.received),
    );
    const { sinks } = await other.alertSinks();
    expect(sinks).toMatchObject([
      { name: "log", dropped: 0 },
      { name: "chat", target: script, dropped: 0, lastError: null },
      { name: "discord", target: receiver.url, state: "delivering", queued: 1, delivered: 0 },
      { name: "slack-1", failedAttempts: 1, lastError: `${receiver.url} answered 503`, dropped: 0 },
      {
        name: "slack-2",
        dropped: 1,
        lastError: expect.stringContaining("redirections aren't followed") as string,
      },
      { name: "json", dropped: 0 },
    ]);
    expect([count("/elsewhere"), count("/slack/s3cret")]).toEqual([0, 2]);
    // Nobody waits for the one that hangs: relief goes on and the core answers.
    expect(await other.pressureBrokerState()).toMatchObject({ globalTier: "critical" });

    const lines = (await readFile(said, "utf8")).trim().split("\n");
    expect(lines.slice(0, 2)).toEqual(["--room", "my room"]);
    expect(lines[2]).toMatch(
      /^📢 PressureAlert tier=kv severity=critical pressure=0\.97 freed=0B action=stuck state=fired next="continuum status"$/u,
    );
    const json = receiver.received.find(({ path }) => path === "/json");
    const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature } = json?.headers ?? {};
    const expected = createHmac("sha256", key)
      .update(`${String(id)}.${String(at)}.${json?.body ?? ""}`)
      .digest("base64");
    expect(signature).toBe(`v1,${expected}`);
    expect(JSON.parse(json?.body ?? "")).toMatchObject({
      type: "pressure.fired",
      data: { instance: "build-1", alert: { tierName: "kv", pressure: 0.97 } },
    });

    await pool.go();
    await until(
      () => (count("/json") === 2 ? true : undefined),
      10_000,
      () => "the end isn't told",
    );
    await pool.end();
    const { code, tookMs } = await core.end();
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(2_500);
    // What was left is said; what is secret never is.
    expect(core.stderr()).toContain("alert sink discord: 2 alert(s) left to the next core");
    expect(core.stdout() + core.stderr()).not.toMatch(/s3cret|whsec_/u);
  }, 90_000);

  it("hear once, after a restart, what waited for them at a kill or a stop", async () => {
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const dir = join(home, signal);
      await mkdir(dir);
      let isUp = false;
      await using receiver = await startHttpReceiver((response) =>
        response.writeHead(isUp ? 200 : 503).end(),
      );
      const env = { CONTINUUM_ALERT_WEBHOOKS: `slack=${receiver.url}/hook` };
      const core = await startCore({ args, env, home: dir });
      const pool = await StuckPool.register(new RustCoreIPCClient({ url: core.url }), "kv", 970);
      await until(
        () => (receiver.received.length > 0 ? true : undefined),
        20_000,
        () => "no attempt",
      );
      // What waits is written within a second.
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      await Promise.all([pool.end(), core.end(signal)]);
      isUp = true;
      const before = receiver.received.length;
      await using again = await startCore({ args, env, home: dir });
      await using client = new RustCoreIPCClient({ url: again.url });
      const firedBefore = (await client.pressureBrokerState()).evictionsFired;
      const slack = await until(
        async () => {
          const { sinks } = await client.alertSinks();
          return sinks.find(
            ({ kind, delivered, queued }) => kind === "slack" && delivered > 0 && queued === 0,
          );
        },
        20_000,
        () => `nothing arrives after ${signal}`,
      );
      expect(slack).toMatchObject({ dropped: 0 });
      // The pool comes back as full as it was, is asked again, and frees nothing: the same episode goes on.
      const back = await StuckPool.register(new RustCoreIPCClient({ url: again.url }), "kv", 970);
      await until(
        async () => ((await client.pressureBrokerState()).evictionsFired > firedBefore ? true : undefined),
        20_000,
        () => `it isn't relieved after ${signal}`,
      );
      await Promise.all([back.end(), again.end()]);
      await using third = await startCore({ args, env, home: dir });
      await third.end();
      const arrived = receiver.received.slice(before).map(({ body }) => body);
      // A stop may say more of the episode as it ends the relief: each of them comes once, in order.
      expect(arrived[0]).toContain("is 97 % full: critical");
      expect(arrived.filter((body) => body === arrived[0])).toHaveLength(1);
      expect(new Set(arrived).size).toBe(arrived.length);
      expect(arrived.filter((body) => body.includes("is 97 % full: critical"))).toHaveLength(1);
      // Neither four hours have passed, nor was it ever calm, nor is it gone.
      expect(arrived.filter((body) => /is still|is gone|calm again|resolved/u.test(body))).toEqual([]);
    }
  }, 90_000);

  it("that can't be made are a usage error in one line", async () => {
    for (const env of [
      { CONTINUUM_ALERT_WEBHOOKS: "json=http://127.0.0.1:1/s3cret" },
      { CONTINUUM_ALERT_COMMAND: "say 's3cret {text}" },
    ]) {
      await using core = await startCore({ args, env, waitUntilUp: false });
      expect(await core.exit()).toMatchObject({ code: 2 });
      expect(core.stderr()).toMatch(/^continuum-core: [^\n]+\n$/u);
      expect(core.stderr()).not.toContain("s3cret");
    }
  }, 30_000);
});

describeWithAlertmanager("a real Alertmanager", () => {
  it("shows what fires, lets a new severity take the old one's place, keeps silences, and sees the end", async () => {
    const home = await mkdtemp(join(tmpdir(), "continuum-sinks-"));
    try {
      await using hook = await startHttpReceiver();
      await using alertmanager = await startAlertmanager(hook.url);
      const told = (): string[] =>
        hook.received.flatMap(({ body }) =>
          (JSON.parse(body) as { alerts: { status: string; labels: Record<string, string> }[] }).alerts.map(
            ({ status, labels }) => `${labels["tier"]} ${labels["severity"]} ${status}`,
          ),
        );
      const wait = <T>(probe: () => Promise<T | undefined>): Promise<T> =>
        until(probe, 20_000, () => told().join("\n"));
      const find = async (tier: string, severity: string): Promise<SeenAlert | undefined> =>
        (await alertmanager.alerts()).find(
          ({ labels }) => labels["tier"] === tier && labels["severity"] === severity,
        );
      const coreArgs = [...args, "--alertmanager", alertmanager.url, "--alert-instance", "build-1"];
      const core = await startCore({ args: coreArgs, home });
      const pool = await StuckPool.register(new RustCoreIPCClient({ url: core.url }), "kv", 850);

      const high = await wait(() => find("kv", "high"));
      expect(high).toMatchObject({
        labels: { alertname: "ContinuumPressure", tier: "kv", severity: "high", instance: "build-1" },
        annotations: {
          summary: expect.stringContaining("📢 PressureAlert tier=kv") as string,
          next: "continuum status",
        },
        status: { state: "active" },
      });
      // What isn't told again ends by itself: a dead core's alert does.
      const leftMs = Date.parse(high.endsAt) - Date.now();
      expect(leftMs).toBeGreaterThan(200_000);
      expect(leftMs).toBeLessThanOrEqual(240_000);

      // Somebody knows of it, and silences this severity. Another tier isn't silenced by that.
      await alertmanager.silence("tier", "known");
      const silenced = await StuckPool.register(new RustCoreIPCClient({ url: core.url }), "known", 960);
      const isSuppressed = async (): Promise<true | undefined> =>
        (await find("known", "critical"))?.status.state === "suppressed" ? true : undefined;
      await wait(isSuppressed);

      await pool.fill(970);
      const critical = await wait(() => find("kv", "critical"));
      expect(critical).toMatchObject({ startsAt: high.startsAt, status: { state: "active" } });
      await wait(async () => ((await find("kv", "high")) === undefined ? true : undefined));
      await wait(() => Promise.resolve(told().includes("kv high resolved") ? true : undefined));
      await wait(() => Promise.resolve(told().includes("kv critical firing") ? true : undefined));

      // What is asked for here is written first, and with it all that waits: a kill loses the last second.
      await pool.client.pressureHistory({ pool: "kv", resolution: "raw" });
      // The core dies and comes again: the same alert, told anew, and nobody hears of it twice.
      await Promise.all([pool.end(), silenced.end(), core.end("SIGKILL")]);
      await using again = await startCore({ args: coreArgs, home });
      await using client = new RustCoreIPCClient({ url: again.url });
      const { episodes } = await client.pressureBrokerExtension();
      expect(episodes.map(({ alert }) => alert.tierName).sort()).toEqual(["known", "kv"]);
      const renewed = await wait(async () => {
        const seen = await find("kv", "critical");
        return seen !== undefined && seen.updatedAt > critical.updatedAt ? seen : undefined;
      });
      expect(renewed).toMatchObject({ fingerprint: critical.fingerprint, startsAt: critical.startsAt });
      const back = await StuckPool.register(new RustCoreIPCClient({ url: again.url }), "kv", 970);
      await wait(async () => {
        const { relief } = await client.pressureBrokerExtension();
        return relief.some(({ name, lastDecision }) => name === "kv" && lastDecision !== null)
          ? true
          : undefined;
      });
      await back.go();
      await wait(() => Promise.resolve(told().includes("kv critical resolved") ? true : undefined));
      expect(await find("kv", "critical")).toBeUndefined();
      await back.end();
      expect(told().filter((each) => each === "kv critical firing")).toHaveLength(1);
      expect(told().filter((each) => each.startsWith("known"))).toEqual([]);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  }, 90_000);
});
