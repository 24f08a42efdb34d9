import { join } from "node:path";

/** The command that runs a TypeScript program of this workspace from its source. */
export function toProgram(path: string): readonly string[] {
  return [process.execPath, "--conditions=@continuum/source", "--import", "tsx", path];
}

/** The command that drives this project's own client. */
export const OWN_CLIENT_SUBJECT = toProgram(join(import.meta.dirname, "subjects/ipc-client-subject.ts"));
