import { sharedVitestConfig } from "../../vitest.shared.js";

export default sharedVitestConfig(import.meta.dirname, { testTimeout: 60_000, hookTimeout: 120_000 });
