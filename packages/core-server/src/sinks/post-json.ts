import { SinkError } from "./sink-error.js";

/** A request to a receiver. */
export interface JsonPost {
  readonly url: URL;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The wall clock, Unix milliseconds: a receiver may name a time at which to come again. */
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** Of what a receiver answers to a failure so much is read, in bytes, and shown, in characters. */
const MAX_READ_BYTES = 2_048;
const MAX_TEXT = 200;
/** What may be otherwise the next time. */
const TRANSIENT = new Set([408, 429]);

/**
 * Posts JSON; resolves when the receiver answers with 2xx. Rejects with a SinkError: `refused` for what a repetition
 * can't mend, redirections among it, as they would lead the message somewhere else. Only the URL's origin is ever told.
 */
export async function postJson({ url, body, headers = {}, nowMs, signal }: JsonPost): Promise<void> {
  const { target, authorization } = withoutCredentials(url);
  let response: Response;
  try {
    response = await fetch(target, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "continuum-core",
        ...(authorization === null ? {} : { authorization }),
        ...headers,
      },
      body,
      redirect: "manual",
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw new SinkError("aborted", `${url.origin}: cut off`, { cause: error });
    // A port that fetch reaches for nobody (https://fetch.spec.whatwg.org/#port-blocking).
    if (error instanceof Error && error.cause instanceof Error && error.cause.message === "bad port") {
      throw new SinkError("refused", `${url.origin}: port ${url.port} is blocked for HTTP`);
    }
    // No cause: its text may hold the URL.
    throw new SinkError("unavailable", `${url.origin} can't be reached: ${toNetworkText(error)}`);
  }
  const { status } = response;
  if (response.ok) {
    await response.body?.cancel();
    return;
  }
  const said = await readBeginning(response);
  const text = `${url.origin} answered ${status}${said === "" ? "" : `: ${said}`}`;
  if (status >= 300 && status < 400) {
    throw new SinkError("refused", `${text}; redirections aren't followed`);
  }
  const isTransient = status >= 500 || TRANSIENT.has(status);
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), nowMs);
  throw new SinkError(isTransient ? "unavailable" : "refused", text, { retryAfterMs });
}

/** Milliseconds of a `Retry-After`: seconds, or a date; null for none, and for what is neither. */
export function parseRetryAfter(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  const text = value.trim();
  if (/^\d+(?:\.\d+)?$/u.test(text)) return Math.ceil(Number(text) * 1_000);
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

/** A URL's user and password go where `fetch` wants them. */
function withoutCredentials(url: URL): { readonly target: URL; readonly authorization: string | null } {
  if (url.username === "" && url.password === "") return { target: url, authorization: null };
  const target = new URL(url);
  target.username = "";
  target.password = "";
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { target, authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
}

async function readBeginning(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    const reader = response.body?.getReader();
    while (reader !== undefined && bytes < MAX_READ_BYTES) {
      const { done, value } = (await reader.read()) as { done: boolean; value?: Uint8Array };
      if (done || value === undefined) break;
      chunks.push(value);
      bytes += value.length;
    }
    await reader?.cancel();
  } catch {
    // The status is what counts; what was read until here is shown.
  }
  const text = Buffer.concat(chunks).subarray(0, MAX_READ_BYTES).toString("utf8").trim();
  return text.slice(0, MAX_TEXT).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ");
}

function toNetworkText(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof Error && "code" in cause && typeof cause.code === "string") return cause.code;
  return cause instanceof Error ? cause.name : "the request failed";
}
