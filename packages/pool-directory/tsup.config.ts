import { sharedTsupConfig } from "../../tsup.shared.js";

export default sharedTsupConfig({ index: "src/index.ts" });
