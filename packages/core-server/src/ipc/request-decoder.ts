import { isUtf8 } from "node:buffer";

/** A request line that keeps to the grammar; what the command and its params mean is the router's business. */
export interface DecodedRequest {
  readonly kind: "request";
  readonly command: string;
  readonly requestId: number | null;
  readonly params: Readonly<Record<string, unknown>>;
}

/** A complete line that breaks the grammar; `requestId` is filled where a reply can still be matched. */
export interface RefusedLine {
  readonly kind: "refused";
  readonly requestId: number | null;
  readonly reason: string;
  /** False when the line isn't even JSON: whoever speaks here may not be a client of this protocol at all. */
  readonly isJson: boolean;
}

/** Decodes one line of the request grammar; never throws. */
export function decodeRequest(line: Buffer): DecodedRequest | RefusedLine {
  if (!isUtf8(line)) return refused("the line is not UTF-8", { isJson: false });
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch {
    return refused("the line is not JSON", { isJson: false });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refused("the line is not a JSON object");
  }
  // The rest keeps only own keys; a key named `__proto__` stays an ordinary (and later an unknown) one.
  const { command, requestId, ...params } = value as Record<string, unknown>;
  if (requestId !== undefined && !isRequestId(requestId)) {
    return refused("requestId is not a positive integer below 2^53");
  }
  const id = requestId ?? null;
  if (typeof command !== "string") return refused("no command, a string, in the request", { requestId: id });
  return { kind: "request", command, requestId: id, params };
}

function isRequestId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function refused(
  reason: string,
  { requestId = null, isJson = true }: { requestId?: number | null; isJson?: boolean } = {},
): RefusedLine {
  return { kind: "refused", requestId, reason, isJson };
}
