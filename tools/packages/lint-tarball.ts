import { readFile } from "node:fs/promises";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

/** What publint finds in a packed package, one line a finding; warnings count, suggestions don't. */
export async function publintTarball(tarball: string): Promise<string[]> {
  const bytes = await readFile(tarball);
  const { messages, pkg } = await publint({
    level: "warning",
    strict: true,
    pack: { tarball: new Uint8Array(bytes).buffer },
  });
  return messages.map((message) => `${message.code}: ${formatMessage(message, pkg, { color: false }) ?? ""}`);
}

/** The packages are ESM only, and `exports` has no meaning to the resolution of Node 10: neither can work. */
const NOT_PROMISED: ReadonlySet<string> = new Set(["node10", "node16-cjs"]);

/** What arethetypeswrong finds in a packed package, for ESM importers under node16, nodenext and bundler. */
export async function checkTarballTypes(tarball: string): Promise<string[]> {
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(await readFile(tarball))));
  if (!result.types) return ["it has no types"];
  return result.problems
    .filter((problem) => !("resolutionKind" in problem) || !NOT_PROMISED.has(problem.resolutionKind))
    .map((problem) => `${problem.kind}: ${JSON.stringify(problem)}`);
}
