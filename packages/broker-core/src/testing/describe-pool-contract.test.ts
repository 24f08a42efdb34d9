import { describe, expect, it } from "vitest";
import { describePoolContract, FakePool } from "./index.js";

describePoolContract("FakePool", { describe, it, expect }, () =>
  Promise.resolve({
    pool: Object.assign(new FakePool("fake", { usedBytes: 900, capacityBytes: 1000 }), {
      onEvict: null,
      evict(this: FakePool, request: Parameters<FakePool["evict"]>[0]) {
        if (request.signal.aborted) return Promise.resolve(this.free(0));
        return Promise.resolve(this.free(request.wantBytes));
      },
    }),
    dispose: () => Promise.resolve(),
  }),
);
