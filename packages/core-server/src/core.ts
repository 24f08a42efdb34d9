import { type Clock, PressureBroker, systemClock } from "@continuum/broker-core";
import { createDockerPool, type DockerPool } from "@continuum/pool-docker";
import type { AccessLevel, CommandName } from "@continuum/wire-types";
import { type Logger, pino } from "pino";
import type { CoreConfig } from "./config/core-config.js";
import { createAlertSinks } from "./create-alert-sinks.js";
import { createCachePools } from "./cache-pools.js";
import { toErrorText } from "./error-text.js";
import { BEYOND_LOCAL_WARNING } from "./face/banner.js";
import { formatEndpoint, isLocal } from "./ipc/endpoint.js";
import type { IpcLimits } from "./ipc/ipc-limits.js";
import { IpcServer } from "./ipc/ipc-server.js";
import { connectionRoom, openFileLimit } from "./ipc/open-files.js";
import { type CoreToken, resolveToken } from "./ipc/token-file.js";
import { createAlertSinksModule } from "./modules/alert-sinks-module.js";
import { createAlertsModule } from "./modules/alerts-module.js";
import { createAdmissionModule } from "./modules/admission-module.js";
import { createDockerModule } from "./modules/docker-module.js";
import { createCachesModule } from "./modules/caches-module.js";
import { createEventsModule } from "./modules/events-module.js";
import { createHistoryModule } from "./modules/history-module.js";
import { createHealthModule } from "./modules/health-module.js";
import { createPressureBrokerModule } from "./modules/pressure-broker-module.js";
import { createRemotePoolsModule } from "./modules/remote-pools-module.js";
import { createRuntimeModule } from "./modules/runtime-module.js";
import { createSystemResourceModule } from "./modules/system-resource-module.js";
import { Router, type SessionHandlers } from "./router.js";
import { handledCommands } from "./runtime/command-handlers.js";
import { EventBus } from "./runtime/event-bus.js";
import { ModuleRuntime } from "./runtime/module-runtime.js";
import { endsWithin } from "./runtime/within.js";
import { MemoryCacheLedger } from "./state/cache-ledger.js";
import { MemoryRecords } from "./state/memory-records.js";
import { type CoreState, openState } from "./state/open-state.js";
import { RecordKeeper } from "./state/record-keeper.js";
import { toBrokerCounters } from "./state/to-broker-counters.js";
import { readVersion } from "./version.js";

/** How long a stopping core still answers requests that are in flight. */
const DRAIN_MS = 1000;

/** A stop that isn't done by then is cut off, in ms: SIGTERM promises 2 s. */
const STOP_WITHIN_MS = 1800;

/** How often the same failure is warned of. */
const REPEAT_WARNING_MS = 600_000;

/** What a core takes beside its configuration; all of it has a default. */
export interface CoreOptions {
  /** Silent when left out. */
  readonly log?: Logger;
  readonly clock?: Clock;
  readonly limits?: Partial<IpcLimits>;
  /** What connections may ask for: everything (`admin-only`) when left out. */
  readonly access?: AccessLevel;
  /** The pool in place of the one that the configuration describes; the core closes it. */
  readonly dockerPool?: DockerPool;
  /** Promises of this process that failed and that nobody waited for, as its owner counts them. */
  readonly unhandledRejections?: () => number;
}

/** A whole core in this process. */
export interface Core {
  readonly version: string;
  /** Every command that it answers, sorted. */
  readonly commands: readonly CommandName[];
  /** Other parts register their pools here. */
  readonly broker: PressureBroker;
  readonly dockerPool: DockerPool;
  /** What happens inside, for faces and sinks. */
  readonly events: EventBus;
  /** Where it listens, as a URL; with the real port once it listens. */
  readonly endpoint: string;
  /** The file with the token that connections over TCP owe; null without TCP, or where the token was given. */
  readonly tokenPath: string | null;
  /** Resolves when every command is answered. Rejects with a CoreError; nothing of the core is left then. */
  start(): Promise<void>;
  /**
   * Stops taking requests, answers those in flight for up to a second, finishes the step of an eviction that is being
   * carried out, writes down what is to be kept, removes the socket. Within 1.8 s: what hangs isn't waited for.
   */
  stop(): Promise<void>;
}

/**
 * Builds a core; nothing is opened before `start`. Throws a CoreError `routes` if a command has no handler, `usage` for
 * a cache directory that can't be watched, or webhooks that can't be signed.
 */
export function createCore(config: CoreConfig, options: CoreOptions = {}): Core {
  const { log = pino({ level: "silent" }), clock = systemClock } = options;
  const version = readVersion();
  const cachePools = createCachePools(config, {
    clock,
    log,
    ledger: { append: (deletion) => cacheLedger.appendDeletion(deletion) },
  });
  const state =
    options.dockerPool === undefined ? openState({ directory: config.stateDirectory, log, clock }) : null;
  const cacheLedger = state ?? new MemoryCacheLedger();
  const dockerPool = options.dockerPool ?? createConfiguredPool(config, state, clock, log);
  const { actAbove, target, floor, cooldownMs, tickMs, evict } = config;
  const stopBelow = config.stopBelow === null ? {} : { stopBelow: config.stopBelow };
  const policy = { actAbove, ...stopBelow, target, floor, cooldownMs };
  const keeper = new RecordKeeper({ store: state ?? new MemoryRecords(), clock, log });
  const broker = new PressureBroker({
    clock,
    policy,
    counters: toBrokerCounters(keeper.documents("broker").get("counters")),
    onError: reportOnce(log, clock),
  });
  broker.register(dockerPool);
  for (const pool of cachePools) broker.register(pool);
  const events = new EventBus(log);

  const startedAtMs = clock.nowMs();
  const isReady = (): boolean => runtime.isReady;
  const health = createHealthModule({
    version,
    pid: process.pid,
    startedAtMs,
    isReady,
    evict,
    endpoint: () => formatEndpoint(ipc.endpoint),
  });
  const pushed = createEventsModule((event, data) => ipc.push(event, data));
  const pressure = createPressureBrokerModule({ broker, tickMs });
  const resources = createSystemResourceModule({ tier: () => dockerPool.tier(), clock });
  const admission = createAdmissionModule({
    names: () => broker.pools().map(({ name }) => name),
    read: (name, signal) => broker.read(name, signal),
    clock,
  });
  const docker = createDockerModule({
    pool: dockerPool,
    policy: evict === "off" ? "conservative" : evict,
    target,
  });
  const remotePools = createRemotePoolsModule({ broker, clock, policy });
  const alerts = createAlertsModule({
    broker,
    clock,
    actAbove,
    isEvictionOn: evict !== "off",
    store: {
      load: () => keeper.documents("episodes"),
      put: (key, value) => keeper.put("episodes", key, value),
    },
    biggestConsumer: (name) =>
      [dockerPool, ...cachePools].find((pool) => pool.name === name)?.largest() ?? null,
    goneAfterMs: (pool) => remotePools.goneAfterMs(pool),
  });
  const alertLog = log.child({ module: "alert-sinks" });
  const alertSinks = createAlertSinksModule({
    sinks: createAlertSinks(config, { clock, log: alertLog, env: process.env }),
    clock,
    log: alertLog,
    openMessages: () => alerts.openMessages(),
    store: {
      load: () => keeper.documents("waiting-alerts"),
      put: (key, value) => keeper.put("waiting-alerts", key, value),
      isDurable: () => state?.isDurable === true,
    },
  });
  const history = createHistoryModule({
    broker,
    keeper,
    nowMs: () => clock.nowMs(),
    maintain: () => state?.maintain(),
    problem: () => state?.problem ?? null,
  });
  const caches = createCachesModule({ ledger: cacheLedger, isDurable: () => state?.isDurable === true });
  const runtimeModule = createRuntimeModule({
    clock,
    startedAtMs,
    isReady,
    list: () => runtime.list(),
    metrics: () => runtime.metrics(),
    ipc: () => ipc.metrics,
    delayMs: (share) => runtime.delays.quantileMs(share),
    state: () => ({
      durable: state?.isDurable ?? false,
      problem: state?.problem?.text ?? null,
      sizeBytes: state?.sizeBytes ?? null,
      droppedReadings: keeper.droppedReadings,
      notes: [...(state?.notes ?? [])],
    }),
    unhandledRejections: options.unhandledRejections ?? (() => 0),
  });
  const session: SessionHandlers = {
    "session/authenticate": ({ token }, { connection }) => {
      const access = connection.authenticate(token);
      return access instanceof Promise ? access.then((granted) => ({ access: granted })) : { access };
    },
  };
  const commands = handledCommands({
    ...session,
    ...health.handlers,
    ...alerts.handlers,
    ...alertSinks.handlers,
    ...history.handlers,
    ...remotePools.handlers,
    ...runtimeModule.handlers,
    ...pushed.handlers,
    ...pressure.handlers,
    ...resources.handlers,
    ...admission.handlers,
    ...docker.handlers,
    ...caches.handlers,
  });

  const runtime = new ModuleRuntime({
    modules: [
      health,
      runtimeModule,
      pushed,
      alerts,
      alertSinks,
      history,
      pressure,
      remotePools,
      resources,
      admission,
      docker,
      caches,
    ],
    clock,
    log,
    events,
  });
  const fileLimit = openFileLimit();
  const maxConnections = connectionRoom(config.maxConnections, fileLimit);
  const router = new Router(runtime, session);
  const ipc = new IpcServer({
    endpoint: config.endpoint,
    readEndpoint: config.readEndpoint,
    dispatch: (command, params, context) => router.dispatch(command, params, context),
    clock,
    log,
    limits: { maxConnections, ...options.limits },
    lowLatency: config.lowLatency,
    ...(options.access === undefined ? {} : { access: options.access }),
  });

  let token: CoreToken | null = null;
  const windUp = async (): Promise<void> => {
    // Evictions are ended at once, not after the requests: the step that is being carried out still takes a moment.
    await Promise.all([ipc.close(DRAIN_MS), broker.close(), dockerPool.evictions.close()]);
    await runtime.stop();
    await Promise.all([dockerPool, ...cachePools].map((pool) => pool.close()));
  };
  const stop = async (): Promise<void> => {
    try {
      const isDone = await endsWithin(windUp(), STOP_WITHIN_MS, clock);
      if (!isDone) log.warn(`not all had ended within ${STOP_WITHIN_MS} ms: it isn't waited for`);
    } finally {
      // Also where something hangs: what is known by now is kept.
      keeper.close();
      state?.close();
    }
    log.info("stopped");
  };
  return {
    version,
    commands,
    broker,
    dockerPool,
    events,
    get endpoint() {
      return formatEndpoint(ipc.endpoint);
    },
    get tokenPath() {
      return token?.path ?? null;
    },
    start: async () => {
      try {
        // The endpoint first: of two cores that start at once, the one that loses must not have touched a pool.
        if (config.endpoint.kind === "tcp") token = await resolveToken(config.token);
        await ipc.listen(token?.token);
        await runtime.start();
        for (const pool of cachePools) void pool.recover();
      } catch (error) {
        await stop();
        throw error;
      }
      log.info({ endpoint: formatEndpoint(ipc.endpoint), version, evict }, "listening");
      if (maxConnections < config.maxConnections) {
        const text = `${config.maxConnections} connections don't fit ${fileLimit} open files: ${maxConnections} are taken (raise ulimit -n)`;
        log.warn({ fileLimit, maxConnections }, text);
      }
      if (!isLocal(ipc.endpoint)) log.warn({ endpoint: formatEndpoint(ipc.endpoint) }, BEYOND_LOCAL_WARNING);
    },
    stop,
  };
}

function createConfiguredPool(
  config: CoreConfig,
  state: CoreState | null,
  clock: Clock,
  log: Logger,
): DockerPool {
  const { dockerHost, evict, minAgeMs, minIdleMs, keepLabel, keepReferences, keepNewestPerRepository } =
    config;
  return createDockerPool({
    dockerHost,
    evict,
    minAgeMs,
    minIdleMs,
    keepLabel,
    keepReferences,
    keepNewestPerRepository,
    capacityBytes: config.dockerCapacityBytes,
    ...(state === null ? {} : { useStore: state, ledger: state, isDurable: () => state.isDurable }),
    clock,
    log: log.child({ module: "docker" }),
  });
}

/** What fails on every tick is worth a warning once in a while, not every five seconds. */
function reportOnce(log: Logger, clock: Clock): (error: unknown, source: string) => void {
  const last = new Map<string, { readonly text: string; readonly atMs: number }>();
  return (error, source) => {
    const text = `${source}: ${toErrorText(error)}`;
    const atMs = clock.monotonicMs();
    const before = last.get(source);
    const isNews = before?.text !== text || atMs - before.atMs >= REPEAT_WARNING_MS;
    if (isNews) last.set(source, { text, atMs });
    log[isNews ? "warn" : "debug"]({ err: error, source }, text);
  };
}
