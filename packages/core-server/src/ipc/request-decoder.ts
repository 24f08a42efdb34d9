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

/** Decodes one line of the request grammar, null for one that isn't UTF-8; never throws. */
export function decodeRequest(line: string | null): DecodedRequest | RefusedLine {
  if (line === null) return refused("the line is not UTF-8", { isJson: false });
  const plain = decodePlain(line);
  if (plain !== null) return plain;
  let value: unknown;
  try {
    value = JSON.parse(line);
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

const HEAD = '{"command":"';
const MIDDLE = '","requestId":';
const NO_PARAMS = Object.freeze({});
/** The digits of an id that is certainly below 2^53. */
const MAX_DIGITS = 15;
/**
 * What stands before the id of the last plain request, and the command in it: most requests are like the one before. Both
 * keep the chunk that they came in from being collected, which is one chunk of one connection at a time.
 */
let lastHead = "";
let lastCommand = "";

/**
 * Reads `{"command":"NAME","requestId":N}`, which most requests are, without a parser: three times as fast. Null for
 * anything else, and for what only looks like it.
 */
function decodePlain(line: string): DecodedRequest | null {
  if (lastHead === "" || !line.startsWith(lastHead)) {
    const head = plainHead(line);
    if (head === null) return null;
    lastHead = head;
    lastCommand = head.slice(HEAD.length, -MIDDLE.length);
  }
  const requestId = plainId(line, lastHead.length);
  return requestId === null ? null : { kind: "request", command: lastCommand, requestId, params: NO_PARAMS };
}

/** `{"command":"NAME","requestId":` at the line's beginning; null where it begins otherwise, or the name has escapes. */
function plainHead(line: string): string | null {
  if (!line.startsWith(HEAD)) return null;
  const nameEnd = line.indexOf('"', HEAD.length);
  if (nameEnd < 0 || !line.startsWith(MIDDLE, nameEnd)) return null;
  for (let i = HEAD.length; i < nameEnd; i += 1) {
    const unit = line.charCodeAt(i);
    // An escape, or what may not stand in a string.
    if (unit === 0x5c || unit < 0x20) return null;
  }
  return line.slice(0, nameEnd + MIDDLE.length);
}

/** The id between `from` and the closing brace that ends the line; null where there is something else. */
function plainId(line: string, from: number): number | null {
  const last = line.length - 1;
  if (line.charCodeAt(last) !== 0x7d || last === from || last - from > MAX_DIGITS) return null;
  let id = 0;
  for (let i = from; i < last; i += 1) {
    const digit = line.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9 || (digit === 0 && i === from)) return null;
    id = id * 10 + digit;
  }
  return id;
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
