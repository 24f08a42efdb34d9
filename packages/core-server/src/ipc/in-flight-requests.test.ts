import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type InFlightHost, InFlightRequests } from "./in-flight-requests.js";
import { PendingRequest, type Requester } from "./pending-request.js";

const nobody = {} as Requester;
const request = (requestId: number | null): PendingRequest =>
  new PendingRequest("health-check", requestId, nobody);

/** What the server is told of requests. */
function followed() {
  const counts = { load: 0, deadlines: 0 };
  const host: InFlightHost = {
    load: { begin: () => (counts.load += 1), end: (count) => (counts.load -= count) },
    requestDeadlines: { add: () => (counts.deadlines += 1), delete: () => (counts.deadlines -= 1) },
  };
  return { host, counts };
}

describe("InFlightRequests", () => {
  it("tells like a Set which requests and which ids are in, whatever ids a peer chooses", () => {
    const anyId = fc.oneof(
      fc.nat(40),
      fc.nat(20).map((i) => 2 ** 40 + i * 64),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), anyId), { maxLength: 300 }), (steps) => {
        const { host, counts } = followed();
        const requests = new InFlightRequests(host);
        const model = new Set<PendingRequest>();
        for (const [isAdded, id] of steps) {
          const same = [...model].find(({ requestId }) => requestId === id);
          if (id !== null) expect(requests.hasId(id)).toBe(same !== undefined);
          if (isAdded && (id === null || same === undefined)) {
            const added = request(id);
            requests.add(added);
            model.add(added);
          } else if (same !== undefined) {
            expect(requests.delete(same)).toBe(true);
            expect(requests.delete(same)).toBe(false);
            model.delete(same);
          }
          expect(requests.size).toBe(model.size);
          expect(counts).toEqual({ load: model.size, deadlines: model.size });
        }
        expect(new Set(requests.list())).toEqual(model);
        const aborted = new Set<PendingRequest>();
        for (const each of model) each.onAborted(() => aborted.add(each));
        requests.abortAll(new Error("gone"));
        expect(aborted).toEqual(model);
        expect(requests.size).toBe(0);
        expect(counts).toEqual({ load: 0, deadlines: 0 });
      }),
    );
  });

  it("lets those that leave go of those that stay", () => {
    const requests = new InFlightRequests(followed().host);
    const all = [1, 17, 33].map(request);
    for (const each of all) requests.add(each);
    for (const each of all) requests.delete(each);
    for (const { nextInBucket, previousInBucket } of all) {
      expect([nextInBucket, previousInBucket]).toEqual([null, null]);
    }
  });
});
