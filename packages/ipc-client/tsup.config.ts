import { sharedTsupConfig } from "../../tsup.shared.js";

export default sharedTsupConfig({
  index: "src/index.ts",
  address: "src/address/index.ts",
  pool: "src/pool/index.ts",
  testing: "src/testing/index.ts",
});
