/** Drives this project's client for the conformance suite: operations on standard input, answers on standard output. */
import { CommandError, ConnectionError, RustCoreIPCClient } from "@continuum/ipc-client";
import { createInterface } from "node:readline";

interface Operation {
  readonly id: number;
  readonly op: "open" | "close" | "request" | "subscribe";
  readonly url?: string;
  readonly command?: string;
  readonly params?: Record<string, unknown>;
  readonly timeoutMs?: number;
  readonly event?: string;
}

const open: { client: RustCoreIPCClient | null } = { client: null };

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function toError(error: unknown): object {
  if (error instanceof CommandError) {
    return { kind: "command", message: error.message, detail: error.errorDetail };
  }
  if (error instanceof ConnectionError) {
    const { code, message, mayHaveExecuted } = error;
    return { kind: "connection", code, message, mayHaveExecuted };
  }
  return { kind: "other", message: String(error) };
}

async function perform({ id, op, url, command = "", params, timeoutMs, event }: Operation): Promise<void> {
  try {
    if (op === "open") {
      await open.client?.close();
      open.client = new RustCoreIPCClient({ url, reconnectForMs: 5_000 });
      answer({ id, ok: true });
      return;
    }
    const { client } = open;
    if (client === null) throw new Error("nothing is open");
    if (op === "close") {
      await client.close();
      open.client = null;
      answer({ id, ok: true });
    } else if (op === "request") {
      const { result, attachment } = await client.request(command, params, { timeoutMs });
      answer({ id, result, attachment: attachment?.toString("base64") ?? null });
    } else {
      const onGap = (): void => answer({ id, gap: true });
      for await (const data of client.events(event as "pressure-alert", { onGap }))
        answer({ id, event: data });
    }
  } catch (error) {
    answer({ id, error: toError(error) });
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  // Side by side: operations overlap, as callers do.
  void perform(JSON.parse(line) as Operation);
}
await open.client?.close();
