import { sharedTsupConfig } from "../../tsup.shared.js";

export default sharedTsupConfig({
  index: "src/index.ts",
  commands: "src/gen/commands/index.ts",
  "low-latency": "src/low-latency/index.ts",
});
