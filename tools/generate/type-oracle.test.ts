import { join } from "node:path";
import { compile, type JSONSchema } from "json-schema-to-typescript";
import ts from "typescript";
import { expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { readContract } from "./read-contract.js";

const workspace = join(import.meta.dirname, "../..");

/** json-schema-to-typescript reads the same schemas by its own lights: its types and ours must be assignable both ways. */
it(
  "every generated type means what json-schema-to-typescript makes of the schema",
  { timeout: 60_000 },
  async () => {
    const { types } = await readContract(workspace);
    const files = new Map<string, string>();
    const checks: string[] = [];
    for (const { name, folder } of types) {
      const path = join(workspace, "schemas", folder, `${name}.json`);
      const schema = JSON.parse(await readFile(path, "utf8")) as JSONSchema;
      const text = await compile(schema, name, {
        cwd: join(workspace, "schemas", folder),
        bannerComment: "",
        additionalProperties: false,
        format: false,
      });
      files.set(join(workspace, `oracle/${name}.ts`), text);
      checks.push(
        `import type { ${name} as Oracle${name} } from "./${name}";`,
        `import type { ${name} as Ours${name} } from "../packages/wire-types/src/gen/${folder}/${name}";`,
        `both<Oracle${name}, Ours${name}>(true);`,
      );
    }
    const main = join(workspace, "oracle/check.ts");
    const mutual = "type Mutual<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;";
    const both = "declare function both<A, B>(same: Mutual<A, B>): void;";
    files.set(main, [mutual, both, ...checks].join("\n"));
    expect(errorsOf(main, files)).toEqual([]);

    // The proof can fail: a type that differs is reported.
    files.set(main, [mutual, both, "both<{ a: number }, { a: string }>(true);"].join("\n"));
    expect(errorsOf(main, files)).toHaveLength(1);
  },
);

function errorsOf(main: string, files: ReadonlyMap<string, string>): readonly string[] {
  const options: ts.CompilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const real = { ...host };
  host.directoryExists = () => true;
  host.fileExists = (name) => files.has(name) || real.fileExists(name);
  host.readFile = (name) => files.get(name) ?? real.readFile(name);
  host.getSourceFile = (name, languageVersion, ...rest) => {
    const text = files.get(name);
    return text === undefined
      ? real.getSourceFile(name, languageVersion, ...rest)
      : ts.createSourceFile(name, text, languageVersion);
  };
  const program = ts.createProgram([main], options, host);
  return ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"));
}
