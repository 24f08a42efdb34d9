import type { AlertMessage } from "@continuum/wire-types";
import { saysGone } from "../alerts/to-alert-message.js";
import { type AlertDescription, describeAlert } from "../alerts/describe-alert.js";
import { shorten } from "../shorten.js";

/** Slack advises texts of 4,000 characters at most: what is longer may come in several messages (`chat.postMessage`). */
const SLACK_MAX = 4_000;
/** Discord refuses a `content` of more than 2,000 characters (Execute Webhook). */
const DISCORD_MAX = 2_000;
/** ntfy makes an attachment of a message beyond 4,096 bytes (Publishing): a quarter of it in characters is within. */
const NTFY_MAX = 1_000;
const NTFY_TITLE_MAX = 200;
/** Discord: no previews of what looks like a link. */
const SUPPRESS_EMBEDS = 4;

/** The body of a Slack incoming webhook: text in Slack's own markup, nothing of it from outside taken for markup. */
export function toSlackBody(message: AlertMessage, instance: string): string {
  const { title, facts, biggest, nextCommand } = describeAlert(message, instance);
  const lines = [
    `📢 *${escapeSlack(title)}*`,
    ...facts.map(escapeSlack),
    ...(biggest === null ? [] : [`biggest: ${escapeSlack(code(biggest))}`]),
    `next: ${escapeSlack(code(nextCommand))}`,
  ];
  return JSON.stringify({
    text: shorten(lines.join("\n"), SLACK_MAX),
    unfurl_links: false,
    unfurl_media: false,
  });
}

/** The body of a Discord webhook; nobody is mentioned, whatever the text holds. */
export function toDiscordBody(message: AlertMessage, instance: string): string {
  const { title, facts, biggest, nextCommand } = describeAlert(message, instance);
  const lines = [
    `📢 **${escapeDiscord(title)}**`,
    ...facts.map(escapeDiscord),
    ...(biggest === null ? [] : [`biggest: ${code(biggest)}`]),
    `next: ${code(nextCommand)}`,
  ];
  return JSON.stringify({
    content: shorten(lines.join("\n"), DISCORD_MAX),
    allowed_mentions: { parse: [] },
    flags: SUPPRESS_EMBEDS,
  });
}

/** The body of a message published to an ntfy server's root, where the topic stands in the body. */
export function toNtfyBody(message: AlertMessage, instance: string, topic: string): string {
  const description = describeAlert(message, instance);
  return JSON.stringify({
    topic,
    title: shorten(description.title, NTFY_TITLE_MAX),
    message: shorten(toPlainText(description), NTFY_MAX),
    ...toNtfyUrgency(message),
  });
}

/** A body for programs: the whole message, typed, with its time. */
export function toJsonBody(message: AlertMessage, instance: string): string {
  return JSON.stringify({
    type: `pressure.${message.kind}`,
    timestamp: new Date(message.alert.atMs).toISOString(),
    data: { instance, ...message },
  });
}

function toPlainText({ facts, biggest, nextCommand }: AlertDescription): string {
  const lines = [...facts, ...(biggest === null ? [] : [`biggest: ${biggest}`]), `next: ${nextCommand}`];
  return lines.join("\n");
}

/** 5 breaks through a phone's silence: that is for what must be seen to at once. */
function toNtfyUrgency(message: AlertMessage): { priority: number; tags: readonly string[] } {
  if (message.kind === "resolved") {
    return { priority: 3, tags: [saysGone(message) ? "ghost" : "white_check_mark"] };
  }
  return message.alert.tier === "critical"
    ? { priority: 5, tags: ["rotating_light"] }
    : { priority: 4, tags: ["warning"] };
}

/** The three characters that Slack gives a meaning: links, mentions and commands need them. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function escapeDiscord(text: string): string {
  return text.replace(/[\\*_~`|<>[\]()#:@-]/gu, (char) => `\\${char}`);
}

/** Text in which nothing is markup, for both; a backtick would end it. */
function code(text: string): string {
  return `\`${text.replaceAll("`", "'")}\``;
}
