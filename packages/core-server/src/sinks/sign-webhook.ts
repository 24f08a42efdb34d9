import { createHmac } from "node:crypto";

/** What signs webhooks, by the rules of Standard Webhooks. */
export type WebhookSecret = Uint8Array;

const PREFIX = "whsec_";
const MIN_BYTES = 24;
const MAX_BYTES = 64;

/** The key of a text `whsec_BASE64`, of 24 to 64 bytes; null when it isn't one. */
export function parseWebhookSecret(text: string): WebhookSecret | null {
  const encoded = text.trim();
  if (!encoded.startsWith(PREFIX)) return null;
  const base64 = encoded.slice(PREFIX.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/u.test(base64)) return null;
  const key = Buffer.from(base64, "base64");
  return key.length >= MIN_BYTES && key.length <= MAX_BYTES ? key : null;
}

/** The headers that prove whose a body is, and when it was sent: HMAC-SHA256 over `id.timestamp.body`. */
export function signWebhook(
  secret: WebhookSecret,
  { id, atMs, body }: { readonly id: string; readonly atMs: number; readonly body: string },
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(atMs / 1_000));
  const signature = createHmac("sha256", secret).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}
