import type { PayloadName } from "./bench-subject.js";
import { BenchChild } from "./child-process.js";
import type { LoadSample } from "./measure-load.js";
import type { SubjectName } from "./subjects/index.js";

/** What a client's process is told. */
export interface LoadTask {
  readonly inFlight: number;
  readonly durationMs: number;
}

/** A round's sample, with the other side's processor time. */
export type PairSample = LoadSample & { readonly serverCpuUs: number };

/** Where the processes' program is, and how they differ from others. */
export interface PairOptions {
  readonly program: string;
  readonly subject: SubjectName;
  readonly payload: PayloadName;
  readonly socketPath: string;
  /** Whether each side is held on a processor of its own. */
  readonly pin: boolean;
  /** Node's own options for both, such as a profiler's. */
  readonly execArgv?: readonly string[];
}

/** The server and the client of a subject, each in a process of its own, connected and idle between rounds. */
export class SubjectPair {
  private constructor(
    private readonly server: BenchChild,
    private readonly client: BenchChild,
  ) {}

  /** Resolves when the client is connected. */
  static async start({
    program,
    subject,
    payload,
    socketPath,
    pin,
    execArgv = [],
  }: PairOptions): Promise<SubjectPair> {
    const begin = (role: string, cpu: number): Promise<BenchChild> =>
      BenchChild.start(program, [role, subject, payload, socketPath], { cpu: pin ? cpu : null, execArgv });
    const server = await begin("server", 0);
    return new SubjectPair(server, await begin("client", 1));
  }

  /** Measures one round. */
  async measure(inFlight: number, durationMs: number): Promise<PairSample> {
    const before = await this.server.ask<number>("cpu");
    const sample = await this.client.ask<LoadSample>({ inFlight, durationMs } satisfies LoadTask);
    return { ...sample, serverCpuUs: (await this.server.ask<number>("cpu")) - before };
  }

  /** Ends both processes. */
  async stop(): Promise<void> {
    await this.client.stop();
    await this.server.stop();
  }
}
