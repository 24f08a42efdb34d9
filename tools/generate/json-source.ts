import ts from "typescript";

/** A JSON text with its value and the place of everything in it. */
export interface JsonSource {
  readonly value: unknown;
  /** `line:column`, from 1, of the value at a path; of the nearest thing that exists where the path doesn't. */
  locate(path: readonly PropertyKey[]): string;
}

/** What is no JSON, and where. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";

  constructor(
    readonly position: string,
    message: string,
  ) {
    super(message);
  }
}

/** Parses JSON with the compiler's own parser, which knows positions; throws a JsonSyntaxError. */
export function parseJsonSource(file: string, text: string): JsonSource {
  const source = ts.parseJsonText(file, text);
  const positionOf = (offset: number): string => {
    const { line, character } = source.getLineAndCharacterOfPosition(offset);
    return `${line + 1}:${character + 1}`;
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const { parseDiagnostics } = source as ts.JsonSourceFile & {
      readonly parseDiagnostics?: readonly ts.Diagnostic[];
    };
    const [first] = parseDiagnostics ?? [];
    const message =
      first === undefined
        ? (error as Error).message
        : ts.flattenDiagnosticMessageText(first.messageText, " ");
    throw new JsonSyntaxError(positionOf(first?.start ?? 0), message);
  }
  return {
    value,
    locate: (path) => {
      let node: ts.Node | undefined = source.statements[0]?.expression;
      let start = node?.getStart(source) ?? 0;
      for (const part of path) {
        const next: ts.Node | undefined = node === undefined ? undefined : childOf(node, part, source);
        if (next === undefined) break;
        node = next;
        start = next.getStart(source);
      }
      return positionOf(start);
    },
  };
}

function childOf(node: ts.Node, part: PropertyKey, source: ts.SourceFile): ts.Node | undefined {
  if (ts.isArrayLiteralExpression(node)) return node.elements[Number(part)];
  if (!ts.isObjectLiteralExpression(node)) return undefined;
  for (const property of node.properties) {
    if (!ts.isPropertyAssignment(property)) continue;
    const name = ts.isStringLiteral(property.name) ? property.name.text : property.name.getText(source);
    if (name === String(part)) return property.initializer;
  }
  return undefined;
}
