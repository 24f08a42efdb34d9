import nx from "@nx/eslint-plugin";
import tseslint from "typescript-eslint";

const contract = "layer:contract";

/** Who may import whom: the layers of CONTRIBUTING.md. Kept apart from the other rules, so that it runs in seconds. */
export default tseslint.config(
  { ignores: ["**/dist/**", "**/out-tsc/**", "**/node_modules/**"] },
  {
    files: ["**/*.ts", "**/*.js"],
    languageOptions: { parser: tseslint.parser },
    // Directives in the files are about the other rules.
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: "off" },
    plugins: { "@nx": nx },
    rules: {
      "@nx/enforce-module-boundaries": [
        "error",
        {
          enforceBuildableLibDependency: false,
          // A README example imports its own package by name, as its readers do.
          allowCircularSelfDependency: true,
          allow: ["^.*/(vitest|tsup)\\.shared\\.js$"],
          depConstraints: [
            { sourceTag: contract, onlyDependOnLibsWithTags: [contract] },
            { sourceTag: "layer:domain", onlyDependOnLibsWithTags: [contract] },
            { sourceTag: "layer:adapter", onlyDependOnLibsWithTags: ["layer:domain", contract] },
            { sourceTag: "layer:client", onlyDependOnLibsWithTags: [contract, "layer:client"] },
            {
              sourceTag: "layer:server",
              onlyDependOnLibsWithTags: ["layer:adapter", "layer:domain", contract],
            },
            { sourceTag: "layer:face", onlyDependOnLibsWithTags: ["layer:client", contract] },
            // Benchmarks measure every layer.
            { sourceTag: "layer:tool", onlyDependOnLibsWithTags: ["*"] },
            { sourceTag: "layer:e2e", onlyDependOnLibsWithTags: ["*"] },
          ],
        },
      ],
    },
  },
);
