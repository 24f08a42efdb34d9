import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** What a client under test answers to an operation, one line of JSON; see the package's README. */
export interface SubjectAnswer {
  readonly id: number;
  readonly result?: unknown;
  /** Base64; null or absent for none. */
  readonly attachment?: string | null;
  readonly error?: {
    readonly kind: string;
    readonly code?: string | null;
    readonly message?: string;
    readonly detail?: unknown;
    readonly mayHaveExecuted?: boolean;
  };
  readonly event?: unknown;
  readonly gap?: boolean;
  /** The client is open, or closed. */
  readonly ok?: true;
}

/** How much of what the program complained of is shown, in characters. */
const ERRORS_KEPT = 2_000;

/** A program that drives a client under test: operations on its standard input, answers on its standard output. */
export class ClientSubject implements AsyncDisposable {
  #child: ChildProcess;
  readonly #listeners = new Map<number, (answer: SubjectAnswer) => void>();
  #lastId = 0;
  #errors = "";
  #isGone = false;

  /** Starts `argv`. */
  constructor(
    private readonly argv: readonly string[],
    private readonly cwd = process.cwd(),
  ) {
    this.#child = this.#start();
  }

  /** Starts the program anew if it has ended: what one vector did to it isn't the next one's. */
  revive(): void {
    if (!this.#isGone) return;
    this.#isGone = false;
    this.#errors = "";
    this.#child = this.#start();
  }

  /** Sends an operation; `onAnswer` hears everything that is answered to it, also that the program has gone (an error). */
  send(operation: object, onAnswer: (answer: SubjectAnswer) => void): number {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#listeners.set(id, onAnswer);
    if (this.#isGone) this.#onGone("it has exited");
    else this.#child.stdin?.write(`${JSON.stringify({ id, ...operation })}\n`);
    return id;
  }

  /** Sends an operation and waits for its first answer, at most `withinMs`. */
  async ask(operation: object, withinMs: number): Promise<SubjectAnswer> {
    let id = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<SubjectAnswer>((resolve, reject) => {
        timer = setTimeout(
          () => reject(new Error(`the client did not answer within ${withinMs} ms`)),
          withinMs,
        );
        id = this.send(operation, resolve);
      });
    } finally {
      clearTimeout(timer);
      this.forget(id);
    }
  }

  /** Hears no more of an operation. */
  forget(id: number): void {
    this.#listeners.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isGone) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  #start(): ChildProcess {
    const [file, ...args] = this.argv;
    if (file === undefined) throw new RangeError("a client under test needs a command");
    const child = spawn(file, args, { stdio: ["pipe", "pipe", "pipe"], cwd: this.cwd });
    child.on("error", (error) => this.#onGone(error.message));
    child.on("exit", (code, signal) => this.#onGone(`it exited with ${String(code ?? signal)}`));
    // It has ended: its exit says so.
    child.stdin.on("error", () => undefined);
    child.stderr.on("data", (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-ERRORS_KEPT);
    });
    createInterface({ input: child.stdout }).on("line", (line) => this.#onLine(line));
    return child;
  }

  #onLine(line: string): void {
    let answer: SubjectAnswer;
    try {
      answer = JSON.parse(line) as SubjectAnswer;
    } catch {
      this.#onGone(`it printed what is no JSON: ${line.slice(0, 200)}`);
      this.#child.kill("SIGKILL");
      return;
    }
    this.#listeners.get(answer.id)?.(answer);
  }

  #onGone(why: string): void {
    this.#isGone = true;
    const message = `the client's program is gone: ${why}\n${this.#errors}`;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const [id, listener] of listeners) listener({ id, error: { kind: "gone", message } });
  }
}
