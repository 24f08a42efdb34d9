import { CommandError, ConnectionError, EndpointError } from "@continuum/ipc-client";
import { DecodeError, toPrintable } from "@continuum/wire-types";
import { EXIT_CODE } from "./exit-code.js";
import { UsageError } from "./usage-error.js";

/** How an error ends the CLI. */
export interface ErrorReport {
  readonly exitCode: number;
  /** For stderr. */
  readonly lines: readonly string[];
}

/** What to say of an error, and the exit code; null for a bug, which is to be thrown on. */
export function toErrorReport(error: unknown): ErrorReport | null {
  if (error instanceof UsageError || error instanceof EndpointError) {
    return { exitCode: EXIT_CODE.usage, lines: [say(error.message)] };
  }
  if (error instanceof CommandError) {
    const { command, errorDetail } = error;
    // The core names the command itself where that helps.
    const text = error.message.startsWith(`${command}: `) ? error.message : `${command}: ${error.message}`;
    const detail = errorDetail === null ? [] : [`detail: ${JSON.stringify(errorDetail)}`];
    return { exitCode: EXIT_CODE.failed, lines: [say(text), ...detail] };
  }
  if (error instanceof ConnectionError) return { exitCode: toExitCode(error), lines: [say(error.message)] };
  if (error instanceof DecodeError) {
    return {
      exitCode: EXIT_CODE.failed,
      lines: [say(`the core's reply isn't of this contract: ${error.message}`)],
    };
  }
  return null;
}

function toExitCode({ code }: ConnectionError): number {
  if (code === "refused" || code === "notFound") return EXIT_CODE.notRunning;
  return code === "aborted" ? EXIT_CODE.interrupted : EXIT_CODE.failed;
}

function say(text: string): string {
  return `continuum: ${toPrintable(text)}`;
}
