import { COMMANDS } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { CoreClient } from "./core-client.js";
import { domainMixins } from "./gen/domains.js";
import { RustCoreIPCClient } from "./rust-core-ipc-client.js";

function methodsOf(mixin: (typeof domainMixins)[keyof typeof domainMixins]): string[] {
  const mixed = mixin(CoreClient) as { readonly prototype: object };
  return Object.getOwnPropertyNames(mixed.prototype).filter((name) => name !== "constructor");
}

describe("RustCoreIPCClient", () => {
  it("has no method of two mixins, nor one that hides the base's", () => {
    const methods = Object.values(domainMixins).flatMap(methodsOf);
    expect(new Set(methods).size).toBe(methods.length);
    expect(methods.length).toBe(Object.keys(COMMANDS).length);
    for (const method of methods) {
      expect(method in CoreClient.prototype).toBe(false);
      expect(method in RustCoreIPCClient.prototype).toBe(true);
    }
  });
});
