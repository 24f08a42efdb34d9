import { PoolError, type PoolErrorCode } from "@continuum/broker-core";

/** A system call's or connection's failure as a PoolError whose message says what to do; a PoolError stays itself. */
export function toPoolError(error: unknown, what: string): PoolError {
  if (error instanceof PoolError) return error;
  const code = systemCode(error);
  const text = error instanceof Error ? error.message : String(error);
  const [poolCode, advice] = explain(code, text);
  const said = code === null || text.includes(code) ? text : `${code}: ${text}`;
  return new PoolError(poolCode, `${what}: ${advice === "" ? said : `${advice} (${code ?? text})`}`, {
    cause: error,
  });
}

/** The code of a failed system call, also from within what wraps it; null when there is none. */
function systemCode(error: unknown): string | null {
  for (let each: unknown = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++) {
    const nested = each instanceof AggregateError ? (each.errors[0] as unknown) : each;
    if (nested instanceof Error && "code" in nested && typeof nested.code === "string") return nested.code;
  }
  return null;
}

function explain(code: string | null, text: string): [PoolErrorCode, string] {
  switch (code) {
    case "ECONNREFUSED":
      return ["unreachable", "nothing listens there: is the Docker engine running?"];
    case "ENOENT":
      return ["unreachable", "there is no such socket: is Docker installed and running?"];
    case "EACCES":
    case "EPERM":
      return [
        "denied",
        "no permission for the socket: run as root, or as a member of the group that owns it (usually `docker`)",
      ];
    case "ENOSPC":
      return ["noSpace", "no space left"];
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return ["unreachable", "the host can't be reached: is the Docker host spelled right?"];
    case "ECONNRESET":
    case "EPIPE":
    case "UND_ERR_SOCKET":
    case "UND_ERR_CLOSED":
    case "UND_ERR_DESTROYED":
      return ["unreachable", "the engine closed the connection"];
    case "UND_ERR_CONNECT_TIMEOUT":
    case "ETIMEDOUT":
      return ["timeout", "the engine didn't answer in time"];
    default:
      if (code?.startsWith("HPE_") === true) return ["protocol", "what listens there doesn't speak HTTP"];
      return [/no space left on device/i.test(text) ? "noSpace" : "failed", ""];
  }
}
