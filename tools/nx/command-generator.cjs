// Nx loads generators with require(); the work itself is TypeScript, shared with `npm run command`.
const { pathToFileURL } = require("node:url");

/**
 * `nx generate @continuum/tools:command [NAME]`: a new spec for NAME with everything that comes from it; without NAME,
 * everything from the specs that exist. Changes go through Nx's tree, so `--dry-run` shows them.
 */
module.exports = async function commandGenerator(tree, { name, force = false }) {
  const { tsImport } = await import("tsx/esm/api");
  const { generateIntoTree } = await tsImport("./generate-into-tree.ts", pathToFileURL(__filename).href);
  await generateIntoTree(tree, { name: name ?? null, force });
};
