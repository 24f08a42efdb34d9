import type { Shape } from "../contract/shape.js";
import { type ContractModel, toKebabCase, toPascalCase } from "./contract-model.js";
import { type GeneratedFile, generatedHeader } from "./generated-file.js";
import { sampleObject } from "./sample-value.js";

/** A test per server command, against a core over a real socket that replies with sample values. */
export function emitServerCommandTests({ types, commands }: ContractModel): readonly GeneratedFile[] {
  const shapes = new Map(types.map(({ name, shape }) => [name, shape]));
  const shapeOf = (name: string): Shape => shapes.get(name) ?? { kind: "any" };
  return commands
    .filter(({ serverCommand }) => serverCommand)
    .map((command) => {
      const file = `${toKebabCase(command.name)}-server-command`;
      const className = `${toPascalCase(command.name)}ServerCommand`;
      const sample = sampleObject(command.results, shapeOf);
      const values = Object.fromEntries(Object.entries(sample).filter(([name]) => name !== "success"));
      const reply = command.wholeReply === null ? values : values[command.wholeReply.name];
      const declaresSuccess = command.results.some(({ name }) => name === "success");
      const result = declaresSuccess ? { success: true, ...values } : values;
      return {
        path: `packages/server-commands/src/gen/${file}.test.ts`,
        text: `${generatedHeader(command.source)}import { describeServerCommand } from "../testing/describe-server-command";
import { ${className} } from "./${file}";

describeServerCommand({
  name: ${JSON.stringify(command.name)},
  create: (client) => new ${className}(client),
  params: ${JSON.stringify(sampleObject(command.params, shapeOf))},
  reply: ${JSON.stringify(reply)},
  result: ${JSON.stringify(result)},
});
`,
      };
    });
}
