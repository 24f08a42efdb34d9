import { describe, expect, it } from "vitest";
import { fillCommand, parseCommandTemplate } from "./command-template.js";

describe("the command of a chat", () => {
  it.each([
    [
      "airc publish --room ROOM --kind message --body-text {text}",
      ["airc", "publish", "--room", "ROOM", "--kind", "message", "--body-text", "{text}"],
    ],
    ["say  'my room'\t\"{text} now\" ''", ["say", "my room", "{text} now", ""]],
    [
      'say --body={text} \\$HOME "a \\" \\\\ b" \'a\\b\'',
      ["say", "--body={text}", "$HOME", 'a " \\ b', "a\\b"],
    ],
    ["say $HOME ~ *.txt `id` $(id) {text};rm", ["say", "$HOME", "~", "*.txt", "`id`", "$(id)", "{text};rm"]],
    ["'/opt/my tools/say' {text}", ["/opt/my tools/say", "{text}"]],
  ])("%j is split and nothing of it expanded", (source, words) => {
    expect(parseCommandTemplate(source)).toEqual(words);
  });

  it.each([
    "",
    "   ",
    "{text}",
    "say",
    "say hello",
    "{text} say",
    "say-{text} {text}",
    "'' {text}",
    "say 'unfinished {text}",
    'say "unfinished {text}',
    "say {text} \\",
    "say {text}\nrm",
    "say {text}\0",
    `say {text} ${"x".repeat(5_000)}`,
    `say {text} ${"x ".repeat(70)}`,
  ])("%j can't be used", (source) => {
    expect(parseCommandTemplate(source)).toBeNull();
  });

  it("keeps the text within its argument, whatever is in it", () => {
    const text = "a 'b' \"c\" $& $1 {text} `id`; rm -rf / \n";
    expect(fillCommand(["say", "<{text}|{text}>", "-"], text)).toEqual(["say", `<${text}|${text}>`, "-"]);
  });
});
