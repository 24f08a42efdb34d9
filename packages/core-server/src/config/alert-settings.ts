import { parseCommandTemplate } from "../sinks/command-template.js";
import { type AlertWebhook, parseAlertWebhooks } from "./alert-webhooks.js";
import { parseHttpUrl } from "./http-url.js";
import { setting } from "./setting.js";
import { parseAbsolutePath } from "./setting-values.js";

function parseInstance(text: string): string | null {
  return /^[\w.:-]{1,200}$/u.test(text) ? text : null;
}

/** Who is told of alerts, beside the log. */
export const ALERT_SETTINGS = {
  alertCommand: setting<readonly string[] | null>({
    flag: "--alert-command",
    placeholder: "COMMAND",
    variable: "CONTINUUM_ALERT_COMMAND",
    description: "run this for each alert, without a shell; {text} in an argument becomes the alert's line",
    expected:
      "a program and arguments, {text} in one of them, words by spaces or quoted, such as " +
      "'airc publish --room ROOM --kind message --body-text {text}'",
    defaultValue: null,
    defaultText: "none",
    isSecret: true,
    parse: parseCommandTemplate,
  }),
  alertWebhooks: setting<readonly AlertWebhook[]>({
    flag: "--alert-webhook",
    placeholder: "KIND=URL,...",
    variable: "CONTINUUM_ALERT_WEBHOOKS",
    description: "post each alert there; KIND is slack, discord, ntfy or json (signed). Prefer the variable",
    expected: "entries KIND=URL by commas, KIND slack, discord, ntfy (its URL ends with the topic) or json",
    defaultValue: [],
    defaultText: "none",
    isSecret: true,
    parse: parseAlertWebhooks,
  }),
  alertSecretFile: setting<string | null>({
    flag: "--alert-secret-file",
    placeholder: "PATH",
    variable: "CONTINUUM_ALERT_SECRET_FILE",
    description: "the secret that signs json webhooks, whsec_BASE64; or CONTINUUM_ALERT_SECRET itself",
    expected: "an absolute path",
    defaultValue: null,
    defaultText: "none",
    parse: parseAbsolutePath,
  }),
  alertmanagerUrl: setting<URL | null>({
    flag: "--alertmanager",
    placeholder: "URL",
    variable: "CONTINUUM_ALERTMANAGER_URL",
    description: "tell a Prometheus Alertmanager of episodes",
    expected: "http://HOST:PORT or https://..., with its path prefix if it has one",
    defaultValue: null,
    defaultText: "none",
    isSecret: true,
    parse: parseHttpUrl,
  }),
  alertInstance: setting<string | null>({
    flag: "--alert-instance",
    placeholder: "NAME",
    variable: "CONTINUUM_ALERT_INSTANCE",
    description: "what alerts call this machine",
    expected: "1 to 200 of letters, digits, dot, colon, dash and underscore",
    defaultValue: null,
    defaultText: "its host name",
    parse: parseInstance,
  }),
} as const;
