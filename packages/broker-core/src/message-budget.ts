/** Messages of one pool in any 24 hours, at most. */
const MAX_MESSAGES_A_DAY = 8;
const DAY_MS = 86_400_000;

/** What a message is for the budget: what must be heard, what should be, and what only reminds. */
export type MessageWeight = "vital" | "news" | "reminder";

/**
 * How many of the last 24 hours' messages may stand before one more. A vital one (critical, for the first time since
 * the last resolution) always finds room: between two of them lies a resolution, which is news and leaves one free.
 * A reminder leaves room for a resolution and what is vital after it.
 */
const MOST_BEFORE: Readonly<Record<MessageWeight, number>> = {
  vital: MAX_MESSAGES_A_DAY - 1,
  news: MAX_MESSAGES_A_DAY - 2,
  reminder: MAX_MESSAGES_A_DAY - 3,
};

/** The times of messages that still count at `atMs`. */
export function countingMessages(saidMs: readonly number[], atMs: number): readonly number[] {
  return saidMs.filter((each) => atMs - each < DAY_MS);
}

/** Whether one more message may be said now. */
export function hasRoom(saidMs: readonly number[], atMs: number, weight: MessageWeight): boolean {
  return countingMessages(saidMs, atMs).length <= MOST_BEFORE[weight];
}
