import { PoolError } from "@continuum/broker-core";
import { z } from "zod";
import { toErrorCode } from "./engine-http.js";

const lineSchema = z.object({
  error: z.string().nullish(),
  errorDetail: z.object({ message: z.string().nullish() }).nullish(),
});

/**
 * What a line of a pull's stream says went wrong, whose status was 200; null for progress. A line that is none is a
 * failure, too: `protocol`. `what` begins the message.
 */
export function toPullFailure(line: string, what: string): PoolError | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    return new PoolError("protocol", `${what}: its progress is no JSON`, { cause });
  }
  const parsed = lineSchema.safeParse(value);
  if (!parsed.success) return new PoolError("protocol", `${what}: its progress has an unexpected shape`);
  const { error, errorDetail } = parsed.data;
  if (typeof error !== "string" && (errorDetail === null || errorDetail === undefined)) return null;
  const said = errorDetail?.message ?? error ?? "it failed, and the engine doesn't say why";
  // The engine gives the registry's words and no status with them.
  const isMissing = /manifest unknown|not found|does not exist/iu.test(said);
  const isDenied = /denied|unauthorized|authentication required/iu.test(said);
  const code = isMissing ? "notFound" : isDenied ? "denied" : toErrorCode(500, said);
  return new PoolError(code, `${what}: ${said}`);
}
