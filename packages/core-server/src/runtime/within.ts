import type { Clock } from "@continuum/broker-core";

/** Waits for `work`, but not longer than `ms`; gives whether it ended. Rejects with what it rejects with in that time. */
export async function endsWithin(work: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  let cancel = (): void => undefined;
  const tooLate = new Promise<false>((resolve) => {
    cancel = clock.setTimeout(() => {
      resolve(false);
    }, ms);
  });
  try {
    return await Promise.race([work.then(() => true), tooLate]);
  } finally {
    cancel();
  }
}
