import { ConnectionError } from "./connection-error.js";

/** What a frame says. */
export type Message =
  | {
      readonly kind: "success";
      readonly requestId: number;
      readonly result: unknown;
    }
  | {
      readonly kind: "failure";
      readonly requestId: number | null;
      readonly error: string;
      readonly errorDetail: unknown;
    }
  | { readonly kind: "event"; readonly name: string; readonly data: unknown }
  /** A frame of no kind that this version knows: to be dropped. */
  | { readonly kind: "unknown" };

/**
 * Reads a frame's JSON. Throws a ConnectionError `protocol` for one that is no object, or a reply that says neither yes
 * nor no.
 */
export function decodeMessage(json: string): Message {
  return toMessage(parse(json));
}

/** Reads the JSON of several frames, joined to an array; null where it isn't one of so many values. */
export function parseRun(json: string, frames: number): readonly unknown[] | null {
  try {
    const values: unknown = JSON.parse(json);
    return Array.isArray(values) && values.length === frames ? values : null;
  } catch {
    // Which of them it is shows when they are read one by one.
    return null;
  }
}

/** Takes a frame's value. Throws a ConnectionError `protocol` as `decodeMessage` does. */
export function toMessage(value: unknown): Message {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConnectionError("protocol", "the peer sent a frame that is no JSON object");
  }
  const message = value as Readonly<Record<string, unknown>>;
  const requestId = message["requestId"];
  if (isRequestId(requestId)) {
    if (message["success"] === true) {
      return { kind: "success", requestId, result: message["result"] ?? null };
    }
    if (message["success"] === false) return toFailure(requestId, message);
    throw new ConnectionError("protocol", "the peer sent a reply without `success`");
  }
  if (typeof message["event"] === "string") {
    return { kind: "event", name: message["event"], data: message["data"] };
  }
  return message["success"] === false ? toFailure(null, message) : { kind: "unknown" };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new ConnectionError("protocol", "the peer sent a frame that isn't JSON", { cause });
  }
}

function isRequestId(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

function toFailure(requestId: number | null, message: Readonly<Record<string, unknown>>): Message {
  const error = message["error"];
  return {
    kind: "failure",
    requestId,
    error: typeof error === "string" && error !== "" ? error : "the core gave no reason",
    errorDetail: message["errorDetail"] ?? null,
  };
}
