import { defineConfig } from "tsup";

/** The tsup configuration that every package shares: ESM with types and source maps, dependencies stay imports. */
export function sharedTsupConfig(entry: Record<string, string>): ReturnType<typeof defineConfig> {
  return defineConfig({
    entry,
    format: ["esm"],
    target: "node20",
    platform: "node",
    dts: true,
    sourcemap: true,
    clean: true,
    // Nx says what it builds; errors are printed all the same.
    silent: true,
    tsconfig: "tsconfig.build.json",
  });
}
