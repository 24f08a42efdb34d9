/**
 * What a handler gives whose result comes with raw bytes: they follow the reply's JSON in the same frame, and are
 * written as they are, without a copy. They must not change until the reply has been sent.
 */
export class AttachedReply<T> {
  constructor(
    readonly result: T,
    readonly attachment: Uint8Array,
  ) {}
}
