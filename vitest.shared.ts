import { basename, join } from "node:path";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const conditions = ["@continuum/source", "module", "node", "import", "default"];

/**
 * The vitest configuration that every package shares: tests stand beside the source, other packages are read
 * from their source (no build needed), the counts are written to `test-results/` for `npm test` to add up, and what
 * is temporary lies in a directory of the run.
 */
export function sharedVitestConfig(packageDir: string, test: ViteUserConfig["test"] = {}): ViteUserConfig {
  return defineConfig({
    root: packageDir,
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    test: {
      include: ["src/**/*.test.ts"],
      globalSetup: [join(import.meta.dirname, "tools/test-run/vitest-global-setup.ts")],
      passWithNoTests: false,
      reporters: ["default", "json"],
      outputFile: {
        json: join(import.meta.dirname, "test-results/@continuum", `${basename(packageDir)}.json`),
      },
      ...test,
    },
  });
}
