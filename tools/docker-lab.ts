/**
 * `npm run docker-lab -- up|run|sweep|check`: a disposable Docker Engine on a small filesystem, by hand.
 * Progress goes to stderr; stdout holds the lab's variables (`up`), the command's own output (`run`) or the answer.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Command, InvalidArgumentError } from "commander";
import {
  createProtectedScene,
  dockerLabUnavailable,
  DockerLabError,
  parseSize,
  startDockerLab,
  sweepStaleLabs,
  verifyScene,
  type DockerLab,
  type ProtectedScene,
} from "./lab/docker-lab.js";

const EXIT_FAILED = 1;
const EXIT_UNAVAILABLE = 3;

interface LabArguments {
  readonly size: number;
  readonly fill?: number;
  readonly protected?: true;
  readonly registry?: true;
  readonly tcp?: true;
}

const startedAt = performance.now();
const progress = (line: string) => {
  console.error(`[${((performance.now() - startedAt) / 1000).toFixed(1).padStart(5)} s] ${line}`);
};
const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`;

/** Brings a lab up as asked for, hands it to `use`, and takes it down whatever happens. */
async function withLab(
  args: LabArguments,
  use: (lab: DockerLab, scene: ProtectedScene | null, interrupted: AbortSignal) => Promise<number>,
): Promise<number> {
  const interruption = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    progress(`${signal}: taking the lab down`);
    interruption.abort();
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  const lab = await startDockerLab({
    sizeBytes: args.size,
    registry: args.registry ?? false,
    log: progress,
    signal: interruption.signal,
    ...(args.tcp === true ? { tcpPort: 0 } : {}),
  });
  try {
    progress("the engine is up");
    let scene: ProtectedScene | null = null;
    if (args.protected === true) {
      progress("making what must survive: images in use, a kept image, a volume; and build cache");
      scene = await createProtectedScene(lab);
    }
    if (args.fill !== undefined) await lab.fillTo(args.fill, { signal: interruption.signal });
    progress(`the disk is at ${percent((await lab.df()).pressure)}`);
    return await use(lab, scene, interruption.signal);
  } finally {
    await lab.stop();
    progress("everything is taken down");
  }
}

function describeLab(lab: DockerLab): Record<string, string> {
  return {
    DOCKER_HOST: lab.dockerHost,
    CONTINUUM_LAB_DIR: lab.dir,
    CONTINUUM_LAB_MOUNT: lab.mountPoint,
    ...(lab.tcpPort === null ? {} : { CONTINUUM_LAB_TCP: `tcp://127.0.0.1:${lab.tcpPort}` }),
    ...(lab.registryHost === null ? {} : { CONTINUUM_LAB_REGISTRY: lab.registryHost }),
  };
}

async function reportScene(scene: ProtectedScene | null): Promise<void> {
  if (scene === null) return;
  const problems = await verifyScene(scene);
  for (const problem of problems) progress(`NOT INTACT: ${problem}`);
  if (problems.length === 0) progress("what must survive is intact, byte for byte");
}

function up(args: LabArguments): Promise<number> {
  return withLab(args, async (lab, scene, interrupted) => {
    for (const [name, value] of Object.entries(describeLab(lab))) console.log(`export ${name}=${value}`);
    progress("in the foreground until Ctrl-C");
    // A pending promise alone doesn't keep a process alive.
    const awake = setInterval(() => undefined, 60_000);
    if (!interrupted.aborted) await once(interrupted, "abort");
    clearInterval(awake);
    await reportScene(scene);
    return 0;
  });
}

function run(command: readonly string[], args: LabArguments): Promise<number> {
  return withLab(args, async (lab, scene, interrupted) => {
    if (interrupted.aborted) return EXIT_FAILED;
    const [file = "", ...rest] = command;
    progress(`running ${command.join(" ")}`);
    const child = spawn(file, rest, { stdio: "inherit", env: { ...process.env, ...describeLab(lab) } });
    const forward = () => void child.kill("SIGTERM");
    interrupted.addEventListener("abort", forward, { once: true });
    const exitCode = await new Promise<number>((resolve, reject) => {
      child.once("error", (cause) => {
        reject(new DockerLabError("commandFailed", `${file}: ${cause.message}`, { cause }));
      });
      child.once("exit", (code) => resolve(code ?? EXIT_FAILED));
    });
    progress(
      `${file} ended with exit code ${exitCode}, the disk is at ${percent((await lab.df()).pressure)}`,
    );
    await reportScene(scene);
    return exitCode;
  });
}

function sweep(): number {
  const swept = sweepStaleLabs();
  for (const { dir, left } of swept) {
    console.log(left.length === 0 ? `removed ${dir}` : `${dir}: could not remove ${left.join(", ")}`);
  }
  if (swept.length === 0) console.log("no lab was left behind");
  return swept.some(({ left }) => left.length > 0) ? EXIT_FAILED : 0;
}

async function check(): Promise<number> {
  const reason = await dockerLabUnavailable();
  console.log(reason === null ? "a lab can run here" : `no lab here: ${reason}`);
  return reason === null ? 0 : EXIT_UNAVAILABLE;
}

function toSize(text: string): number {
  try {
    const bytes = parseSize(text);
    if (bytes >= 64 * 2 ** 20) return bytes;
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
  throw new InvalidArgumentError("an engine needs 64MiB at least");
}

function toRatio(text: string): number {
  const ratio = Number(text);
  if (ratio > 0 && ratio <= 0.995) return ratio;
  throw new InvalidArgumentError("a ratio such as 0.97, at most 0.995");
}

/** A command's end is its exit code; what a person can't repair by reading a stack is one line. */
async function finish(action: () => number | Promise<number>): Promise<void> {
  try {
    process.exitCode = await action();
  } catch (error) {
    if (!(error instanceof DockerLabError)) throw error;
    console.error(`docker-lab: ${error.message}`);
    process.exitCode = error.code === "unavailable" ? EXIT_UNAVAILABLE : EXIT_FAILED;
  }
}

function withLabOptions(command: Command): Command {
  return command
    .option("--size <size>", "raw size of the engine's filesystem", toSize, 2 ** 30)
    .option("--fill <ratio>", "fill it with unused tagged images up to this ratio of df", toRatio)
    .option(
      "--protected",
      "make what an eviction must spare: images in use, a kept image, a volume; and build cache",
    )
    .option("--registry", "start a registry on loopback too")
    .option("--tcp", "let the engine listen on a loopback port too");
}

const program = new Command("docker-lab")
  .description(
    "A disposable Docker Engine on a small filesystem of its own, for trying things out. Needs root.",
  )
  .addHelpText(
    "after",
    "\nExit codes: 0 done, 1 failed, 3 no lab can run here; `run` ends with its command's own.",
  )
  .enablePositionalOptions();
withLabOptions(program.command("up").description("bring a lab up and keep it until Ctrl-C")).action(
  (args: LabArguments) => finish(() => up(args)),
);
withLabOptions(
  program
    .command("run")
    .usage("[options] -- COMMAND [ARGS...]")
    .description("run a command with DOCKER_HOST set to a lab that lives as long as it")
    .argument("<command...>")
    .passThroughOptions(),
).action((command: string[], args: LabArguments) => finish(() => run(command, args)));
program
  .command("sweep")
  .description("remove what labs left whose owner was killed")
  .action(() => finish(sweep));
program
  .command("check")
  .description("say whether a lab can run here, and why not")
  .action(() => finish(check));
await program.parseAsync();
