import { connect, type NetConnectOpts } from "node:net";

const LENGTH_BYTES = 4;
const MAX_REPLY_BYTES = 64 * 1024;

/** What answers on an endpoint: nothing (refused or gone), a core (with its pid when it says so), or something mute. */
export type EndpointState =
  { readonly kind: "free" } | { readonly kind: "taken"; readonly pid: number | null };

/** Connects and asks `health-check`; waits at most `withinMs` for the answer. Rejects when it may not even connect. */
export function askRunningCore(target: NetConnectOpts, withinMs = 1000): Promise<EndpointState> {
  return new Promise((resolve, reject) => {
    const socket = connect(target);
    let received = Buffer.alloc(0);
    let connected = false;
    const finish = (state: EndpointState): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(state);
    };
    const timer = setTimeout(() => finish({ kind: "taken", pid: null }), withinMs);
    socket.on("connect", () => {
      connected = true;
      socket.write('{"command":"health-check","requestId":1}\n');
    });
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk]);
      const pid = pidOfReply(received);
      if (pid !== undefined || received.length > MAX_REPLY_BYTES) finish({ kind: "taken", pid: pid ?? null });
    });
    socket.on("close", () => finish({ kind: "taken", pid: null }));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (connected) return;
      if (error.code === "ECONNREFUSED" || error.code === "ENOENT") {
        finish({ kind: "free" });
        return;
      }
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    });
  });
}

/** The pid in a health reply: undefined while the frame is incomplete, null when it holds none. */
function pidOfReply(received: Buffer): number | null | undefined {
  if (received.length < LENGTH_BYTES) return undefined;
  const end = LENGTH_BYTES + received.readUInt32BE(0);
  if (received.length < end) return undefined;
  try {
    const reply: unknown = JSON.parse(received.toString("utf8", LENGTH_BYTES, end));
    const result: unknown = isRecord(reply) ? reply["result"] : null;
    const pid: unknown = isRecord(result) ? result["pid"] : null;
    return typeof pid === "number" ? pid : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
