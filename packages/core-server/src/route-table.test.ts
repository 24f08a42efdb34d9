import type { CommandName } from "@continuum/wire-types";
import { describe, expect, it } from "vitest";
import { buildRouteTable, moduleFor } from "./route-table.js";
import { QUIET_MODULE, type ServiceModule } from "./runtime/service-module.js";

function moduleOf(
  name: string,
  prefixes: readonly string[],
  commands: readonly CommandName[] = [],
): ServiceModule {
  const handlers = Object.fromEntries(commands.map((command) => [command, () => name]));
  return { ...QUIET_MODULE, name, commandPrefixes: prefixes, handlers };
}

describe("moduleFor", () => {
  const system = moduleOf("system", ["system/"]);
  const broker = moduleOf("broker", ["events/", "system/pressure-"]);
  const silent = moduleOf("silent", []);

  it("takes the longest prefix, whatever the order, and never a module without prefixes", () => {
    for (const modules of [
      [silent, system, broker],
      [broker, system, silent],
    ]) {
      expect(moduleFor("system/pressure-trends", modules)).toBe(broker);
      expect(moduleFor("system/resources", modules)).toBe(system);
      expect(moduleFor("health-check", modules)).toBeNull();
    }
    expect(moduleFor("anything", [silent])).toBeNull();
  });
});

describe("buildRouteTable", () => {
  it("routes every command to its handler", () => {
    const routes = buildRouteTable([moduleOf("health", ["health-"], ["health-check"])], ["health-check"]);
    expect(routes.get("health-check")).toMatchObject({ command: "health-check", module: "health" });
    expect(routes.get("constructor")).toBeUndefined();
  });

  it("names every command without a module or handler, and every handler that is never reached", () => {
    const modules = [
      moduleOf("broad", ["system/"], ["system/pressure-trends"]),
      moduleOf("narrow", ["system/pressure-"]),
    ];
    const build = () => buildRouteTable(modules, ["health-check", "system/pressure-trends"]);
    expect(build).toThrow(expect.objectContaining({ code: "routes" }) as Error);
    expect(build).toThrow('no module has a prefix of "health-check"');
    expect(build).toThrow('module narrow has no handler for "system/pressure-trends"');
    expect(build).toThrow('the handler for "system/pressure-trends" in module broad is never reached');
  });

  it("takes no handler from a prototype", () => {
    const module = {
      ...moduleOf("m", ["health-"]),
      handlers: Object.create({ "health-check": () => 1 }) as object,
    };
    expect(() => buildRouteTable([module], ["health-check"])).toThrow("no handler");
  });
});
