/** Parameters of a request as they stand on the line, beside `command` and `requestId`. */
export type RequestParams = Readonly<Record<string, unknown>>;

/** A request's line but for its id, which is only known when it is sent. */
export interface EncodedRequest {
  /** `{"command":"...","requestId":` */
  readonly head: string;
  /** `,...params}` and the newline. */
  readonly tail: string;
}

/** A request's longest possible id, in bytes. */
const MAX_ID_BYTES = 10;
/** Callers may send commands of any name: what is kept of them is bounded, in number and in length. */
const MAX_KEPT_HEADS = 256;
const MAX_KEPT_HEAD_CHARS = 1024;

/** Turns requests into lines. The part that is the same for every request of a command is built once. */
export class RequestEncoder {
  readonly #heads = new Map<string, EncodedRequest>();

  /**
   * Encodes a request once, for any number of sendings. Throws a TypeError when `params` is no object, holds one of
   * the reserved keys `command` and `requestId`, or something that JSON can't say.
   */
  encode(command: string, params: RequestParams): EncodedRequest {
    const bare = this.#bare(command);
    if (isPlainAndEmpty(params)) return bare;
    // Callers without types exist.
    const given: unknown = params;
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      throw new TypeError(`the parameters of ${command} must be an object`);
    }
    for (const key of ["command", "requestId"]) {
      if (Object.hasOwn(params, key))
        throw new TypeError(`${key} is reserved: it can't be a parameter of ${command}`);
    }
    const json = JSON.stringify(params);
    // Only a toJSON that gives something else than an object leads here: it would break the line's grammar.
    if (!json.startsWith("{")) throw new TypeError(`the parameters of ${command} must be an object`);
    return json === "{}" ? bare : { head: bare.head, tail: `,${json.slice(1)}\n` };
  }

  /** The request without parameters. */
  #bare(command: string): EncodedRequest {
    const kept = this.#heads.get(command);
    if (kept !== undefined) return kept;
    const bare = { head: `{"command":${JSON.stringify(command)},"requestId":`, tail: "}\n" };
    const isKept = this.#heads.size < MAX_KEPT_HEADS && bare.head.length <= MAX_KEPT_HEAD_CHARS;
    if (isKept) this.#heads.set(command, bare);
    return bare;
  }
}

/** Whether it is `{}`, of which JSON makes nothing else. */
function isPlainAndEmpty(params: unknown): boolean {
  if (typeof params !== "object" || params === null || Object.getPrototypeOf(params) !== Object.prototype)
    return false;
  for (const key in params) if (Object.hasOwn(params, key)) return false;
  return !Object.hasOwn(params, "toJSON");
}

/** Whether the request's line, without its newline, is longer than `maxBytes`. */
export function isLongerThan({ head, tail }: EncodedRequest, maxBytes: number): boolean {
  const chars = head.length + MAX_ID_BYTES + tail.length;
  // A UTF-16 unit takes at most three bytes: most requests need no counting.
  if (chars * 3 <= maxBytes) return false;
  return Buffer.byteLength(head) + MAX_ID_BYTES + Buffer.byteLength(tail) > maxBytes;
}
