import { emitClient } from "./emit-client.js";
import { emitCommands } from "./emit-commands.js";
import { emitDocs } from "./emit-docs.js";
import { emitServerCommandTests } from "./emit-server-command-tests.js";
import { emitServerCommands } from "./emit-server-commands.js";
import { emitWireTypes } from "./emit-wire-types.js";
import type { ContractModel } from "./contract-model.js";
import type { GeneratedFile } from "./generated-file.js";

/** Everything that the contract generates, sorted by path: the same bytes on every machine. */
export function buildFiles(contract: ContractModel): readonly GeneratedFile[] {
  return [emitWireTypes, emitCommands, emitClient, emitServerCommands, emitServerCommandTests, emitDocs]
    .flatMap((emit) => emit(contract))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
