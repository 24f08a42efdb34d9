import { sharedTsupConfig } from "../../tsup.shared.js";

// The package exports what is generated: a new spec is a new export, without a list to keep.
export default sharedTsupConfig({ index: "src/gen/index.ts" });
