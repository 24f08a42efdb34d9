import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ALERT_SETTINGS } from "../config/alert-settings.js";
import { alertMessage } from "../testing/alert-message.js";
import { tempDirectory } from "../testing/temp-directory.js";
import { createChatSink, SECRET_VARIABLES } from "./chat-sink.js";

describe("a chat", { timeout: 30_000 }, () => {
  it("gets the line as one argument, and no secret of the core's", async () => {
    await using directory = await tempDirectory();
    const file = join(directory.path, "got");
    const script =
      "const [file, text] = process.argv.slice(1);" +
      "require('fs').writeFileSync(file, JSON.stringify({ text, names: Object.keys(process.env) }))";
    const secrets = {
      CONTINUUM_TOKEN: "a",
      CONTINUUM_ALERT_SECRET: "b",
      CONTINUUM_ALERT_WEBHOOKS: "c",
      CONTINUUM_ALERTMANAGER_URL: "d",
    };
    const sink = createChatSink({
      template: [process.execPath, "-e", script, "--", file, "{text}"],
      env: { PATH: process.env["PATH"], CHAT_ROOM: "general", ...secrets },
    });
    const message = alertMessage();
    await sink.deliver(message, new AbortController().signal);
    const got = JSON.parse(await readFile(file, "utf8")) as { text: string; names: string[] };
    expect(got.text).toBe(message.text);
    expect(got.names).toContain("CHAT_ROOM");
    expect(got.names.filter((name) => Object.hasOwn(secrets, name))).toEqual([]);
  });

  it("gets no setting that is secret, but its own command", () => {
    const secret = Object.values(ALERT_SETTINGS)
      .filter((each: { readonly isSecret?: boolean }) => each.isSecret === true)
      .map(({ variable }) => variable);
    expect(secret).toContain("CONTINUUM_ALERT_WEBHOOKS");
    expect(SECRET_VARIABLES).toEqual(
      expect.arrayContaining(secret.filter((variable) => variable !== "CONTINUUM_ALERT_COMMAND")),
    );
  });
});
