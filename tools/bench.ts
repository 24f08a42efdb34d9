/** `npm run bench [-- NAME ...]`: every benchmark, or those named. Ratios against a peer in the same run; nothing asserts a time. `--help` says more. */
import { parseArgs } from "node:util";
import { benchCacheWalk } from "./bench/cache-walk-bench.js";
import { benchDecode } from "./bench/decode-bench.js";
import { benchDockerReading, benchDockerRelief } from "./bench/docker-relief-bench.js";
import { benchForecast } from "./bench/forecast-bench.js";
import { benchGenerate } from "./bench/generate-bench.js";
import { benchIdle } from "./bench/idle-bench.js";
import { benchIpcCrowd } from "./bench/ipc-crowd-bench.js";
import { benchIpc, IPC_PARTS, type IpcPart } from "./bench/ipc/ipc-bench.js";
import { benchMemoryPool } from "./bench/memory-pool-bench.js";
import { benchPlan } from "./bench/plan-bench.js";
import { benchReliefRound } from "./bench/relief-round-bench.js";
import { benchWeek } from "./bench/week-bench.js";

const { values, positionals: asked } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: "boolean", default: false },
    // Of `ipc`.
    only: { type: "string" },
    rounds: { type: "string" },
    "round-ms": { type: "string" },
    pin: { type: "boolean", default: false },
  },
});
const toNumber = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Math.max(1, Math.floor(Number(text)) || 1);

const isPart = (text: string): text is IpcPart => (IPC_PARTS as readonly string[]).includes(text);
const onlyParts = values.only?.split(",") ?? [...IPC_PARTS];
const parts = onlyParts.filter(isPart);

const benches: Readonly<Record<string, () => string | Promise<string>>> = {
  decode: benchDecode,
  generate: benchGenerate,
  "memory-pool": benchMemoryPool,
  "cache-walk": benchCacheWalk,
  forecast: benchForecast,
  plan: () => benchPlan(),
  "ipc-crowd": benchIpcCrowd,
  relief: benchDockerRelief,
  reading: benchDockerReading,
  "relief-round": benchReliefRound,
  idle: benchIdle,
  ipc: () =>
    benchIpc({
      parts,
      rounds: toNumber(values.rounds),
      roundMs: toNumber(values["round-ms"]),
      pin: values.pin,
    }),
  week: benchWeek,
};

const HELP = `npm run bench [-- NAME ... [OPTION ...]]
Names: ${Object.keys(benches).join(", ")}; all without one.
Of ipc:
  --only PART[,PART]  measures parts: ${IPC_PARTS.join(", ")}; all without it
  --rounds N          how often each contender has its turn: 5
  --round-ms N        how long a turn takes, in ms: 300
  --pin               holds each side on a processor of its own, where low latency has none to spare`;

const unknown = asked.filter((name) => !Object.hasOwn(benches, name));
if (values.help) console.log(HELP);
else if (parts.length < onlyParts.length) {
  console.error(`bench: --only takes ${IPC_PARTS.join(", ")}`);
  process.exitCode = 2;
} else if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exitCode = 2;
} else {
  console.log(
    `Node ${process.version}, ${process.platform} ${process.arch}; quote medians and ratios, machines are noisy\n`,
  );
  for (const [name, bench] of Object.entries(benches)) {
    if (asked.length === 0 || asked.includes(name)) console.log(`── ${name}\n${await bench()}\n`);
  }
}
