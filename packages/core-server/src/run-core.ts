import { systemClock } from "@continuum/broker-core";
import type { WriteStream } from "node:tty";
import { parseCommandLine } from "./config/command-line.js";
import type { CoreConfig } from "./config/core-config.js";
import { resolveConfig } from "./config/resolve-config.js";
import { type Core, createCore } from "./core.js";
import { createLogger } from "./create-logger.js";
import { toErrorText } from "./error-text.js";
import { EXIT_CODE, toExitCode } from "./exit-code.js";
import { attachFace } from "./face/attach-face.js";
import { bannerLines } from "./face/banner.js";
import { createLiveScreen, createPlainScreen, type Screen } from "./face/screen.js";
import { ensureNoCoreAt } from "./ipc/listener.js";
import { statusLines } from "./face/status-lines.js";
import { StrayFailures } from "./stray-failures.js";
import { untilStopSignal } from "./until-stop-signal.js";
import { readVersion } from "./version.js";

/** What the core gets from its process. */
export interface RunCoreOptions {
  /** The arguments after the program's name. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: WriteStream;
  readonly stderr: WriteStream;
}

const TREND_WINDOW_MS = 60_000;

/** Runs a core until a signal or a failure ends it; resolves with the exit code, never rejects. */
export async function runCore({ args, env, stdout, stderr }: RunCoreOptions): Promise<number> {
  // A reader that goes away (`| head`) must not end the core.
  for (const stream of [stdout, stderr]) stream.on("error", () => undefined);
  try {
    const line = parseCommandLine(args, readVersion());
    if (line.kind === "print") {
      stdout.write(line.text);
      return EXIT_CODE.stopped;
    }
    const config = resolveConfig(line.flags, env);
    await ensureNoCoreAt(config.endpoint);
    return await serve(config, env, stdout, stderr);
  } catch (error) {
    stderr.write(`continuum-core: ${toErrorText(error)}\n`);
    return toExitCode(error);
  }
}

async function serve(
  config: CoreConfig,
  env: RunCoreOptions["env"],
  stdout: WriteStream,
  stderr: WriteStream,
): Promise<number> {
  const started: { core: Core | null } = { core: null };
  const color = stdout.isTTY && stdout.hasColors() && (env["NO_COLOR"] ?? "") === "";
  // A terminal that doesn't know its size (a container's) can't be redrawn.
  const isLive = stdout.isTTY && stdout.columns > 0;
  const screen: Screen = isLive
    ? createLiveScreen({
        stream: stdout,
        clock: systemClock,
        status: () => (started.core === null ? [] : status(started.core, stdout.columns, color)),
      })
    : createPlainScreen(stdout);
  const log = createLogger({
    level: config.logLevel,
    isTerminal: stderr.isTTY,
    writeLine: (text) => (isLive && stderr.isTTY ? screen.line(text) : void stderr.write(`${text}\n`)),
  });

  const strays = new StrayFailures();
  const stopping = untilStopSignal((error) => {
    log.error({ err: error }, `a promise failed that nobody waited for: ${toErrorText(error)}`);
    return strays.add(systemClock.monotonicMs());
  });
  const core = createCore(config, { log, unhandledRejections: () => strays.count });
  started.core = core;
  const held = holdLines(screen);
  const detach = attachFace(core, config, held);
  try {
    await Promise.race([core.start(), stopping.signalled]);
    if (!stopping.isSignalled()) {
      const { version, endpoint, tokenPath } = core;
      const tier = await core.dockerPool.tier();
      const view = core.broker.snapshot().pools.find(({ name }) => name === core.dockerPool.name);
      const pressure = view !== undefined && view.pressure > view.stats.pressure ? view.pressure : null;
      for (const text of bannerLines({
        version,
        pid: process.pid,
        endpoint,
        tokenPath,
        config,
        tier,
        pressure,
      }))
        screen.line(text);
      held.release();
      screen.refresh();
    }
    const reason = await stopping.signalled;
    if (reason.error !== null) {
      log.fatal({ err: reason.error }, `an error that nobody caught: ${toErrorText(reason.error)}`);
    }
    await core.stop();
    return reason.error === null ? EXIT_CODE.stopped : EXIT_CODE.failed;
  } finally {
    detach();
    screen.close();
    stopping.dispose();
  }
}

function status(core: Core, columns: number, color: boolean): string[] {
  const { broker } = core;
  return statusLines(broker.snapshot(), broker.trends(TREND_WINDOW_MS), broker.forecasts(), {
    columns,
    color,
  });
}

/** Keeps lines back until they are released: what the first readings bring is told below the first lines. */
function holdLines(screen: Screen): Screen & { release(): void } {
  let held: string[] | null = [];
  return {
    line: (text) => (held === null ? screen.line(text) : void held.push(text)),
    refresh: () => (held === null ? screen.refresh() : undefined),
    close: () => screen.close(),
    release: () => {
      const lines = held ?? [];
      held = null;
      for (const text of lines) screen.line(text);
    },
  };
}
