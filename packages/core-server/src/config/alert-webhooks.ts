import { parseHttpUrl } from "./http-url.js";

const WEBHOOK_KINDS = ["slack", "discord", "ntfy", "json"] as const;

/** Whose body a webhook gets; `json` is the plain one, signed. */
export type WebhookKind = (typeof WEBHOOK_KINDS)[number];

/** A webhook that is told alerts. */
export interface AlertWebhook {
  readonly kind: WebhookKind;
  readonly url: URL;
}

const MAX_WEBHOOKS = 16;

/** Webhooks of a text such as `slack=https://...,ntfy=https://ntfy.sh/topic`; null for anything else. */
export function parseAlertWebhooks(text: string): readonly AlertWebhook[] | null {
  const webhooks: AlertWebhook[] = [];
  for (const part of text.split(",")) {
    const [, name, rest = ""] = /^([a-z]+)=(.+)$/su.exec(part.trim()) ?? [];
    const kind = WEBHOOK_KINDS.find((each) => each === name);
    const url = parseHttpUrl(rest);
    if (kind === undefined || url === null) return null;
    // An ntfy URL ends with its topic.
    if (kind === "ntfy" && /^\/*$/u.test(url.pathname)) return null;
    webhooks.push({ kind, url });
  }
  return webhooks.length <= MAX_WEBHOOKS ? webhooks : null;
}
