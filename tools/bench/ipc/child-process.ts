import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";

/** A process of the benchmark that answers each message with one. */
export class BenchChild {
  private constructor(private readonly child: ChildProcess) {}

  /** Starts it, on one processor if told so, and waits for its first message, which is its readiness. */
  static async start(
    program: string,
    args: readonly string[],
    { cpu, execArgv = [] }: { readonly cpu: number | null; readonly execArgv?: readonly string[] },
  ): Promise<BenchChild> {
    // Without the options of this process: a loader of its own would slow the program down.
    const process = fork(program, [...args], { execArgv: [...execArgv] });
    if (cpu !== null)
      execFileSync("taskset", ["-apc", String(cpu), String(process.pid)], { stdio: "ignore" });
    const child = new BenchChild(process);
    await child.#receive();
    return child;
  }

  /** Sends a message and waits for the answer. */
  ask<T>(message: string | number | object): Promise<T> {
    const answer = this.#receive();
    this.child.send(message);
    return answer as Promise<T>;
  }

  /** Ends it and waits for its end. */
  async stop(): Promise<void> {
    if (!this.child.connected) return;
    const exited = once(this.child, "exit");
    this.child.disconnect();
    await exited;
  }

  #receive(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void =>
        reject(new Error(`a benchmarked process ended (${String(code)})`));
      this.child.once("exit", onExit);
      this.child.once("message", (message) => {
        this.child.off("exit", onExit);
        resolve(message);
      });
    });
  }
}

/** Whether processes can be held on one processor each, so that where they run isn't what is measured. */
export function canPin(cpus: number): boolean {
  if (process.platform !== "linux" || cpus < 2) return false;
  try {
    execFileSync("taskset", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
