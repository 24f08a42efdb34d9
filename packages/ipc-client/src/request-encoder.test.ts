import { describe, expect, it } from "vitest";
import { isLongerThan, RequestEncoder } from "./request-encoder.js";

function line(command: string, params: Record<string, unknown>, id = 7): string {
  const { head, tail } = new RequestEncoder().encode(command, params);
  return head + String(id) + tail;
}

describe("RequestEncoder", () => {
  it("puts params beside command and requestId, on one line", () => {
    expect(line("system/docker-tier-stats", {})).toBe(
      '{"command":"system/docker-tier-stats","requestId":7}\n',
    );
    expect(line("a", { text: "line\nbreak", n: 1 })).toBe(
      '{"command":"a","requestId":7,"text":"line\\nbreak","n":1}\n',
    );
  });

  it("leaves out what is undefined", () => {
    expect(line("a", { topN: undefined })).toBe('{"command":"a","requestId":7}\n');
  });

  it("escapes a command that would break the line", () => {
    const command = 'x","requestId":1}\n';
    expect(JSON.parse(line(command, {}))).toEqual({ command, requestId: 7 });
  });

  it.each([
    ["command", { command: "other" }],
    ["requestId", { requestId: 1 }],
  ])("refuses the reserved key %s", (key, params) => {
    expect(() => line("a", params)).toThrow(new RegExp(`${key} is reserved`, "u"));
  });

  it.each([[null], [[1]], ["text"], [{ toJSON: () => [1] }]])("refuses params %j", (params) => {
    expect(() => line("a", params as unknown as Record<string, unknown>)).toThrow(TypeError);
  });

  it("keeps heads, bounded in number and in length", () => {
    const encoder = new RequestEncoder();
    // What is kept is the same object again.
    const isKept = (command: string): boolean => encoder.encode(command, {}) === encoder.encode(command, {});
    expect(isKept("c".repeat(2_000))).toBe(false);
    const commands = Array.from({ length: 300 }, (_, i) => `c${i}`);
    expect(commands.filter(isKept)).toEqual(commands.slice(0, 256));
    expect(commands.map((command) => encoder.encode(command, {}).head)).toEqual(
      commands.map((command) => `{"command":"${command}","requestId":`),
    );
  });
});

describe("isLongerThan", () => {
  it("counts bytes, not characters", () => {
    const request = new RequestEncoder().encode("a", { text: "€".repeat(100) });
    expect(isLongerThan(request, 300)).toBe(true);
    expect(isLongerThan(request, 400)).toBe(false);
  });
});
