import { DecodeError } from "@continuum/wire-types";
import { ConnectionError } from "./connection-error.js";
import { type CoreEvents, eventDecoders, type EventName, isEventName } from "./core-events.js";
import { type EventGap, EventStream, type EventStreamOptions } from "./event-stream.js";

/** What the hub needs of its client. */
export interface EventHubPort {
  /** Whether a connection is up now. */
  isOpen(): boolean;
  /** A first subscription exists: bring a connection up, and keep it up. */
  retain(): void;
  /** The last subscription ended. */
  release(): void;
  subscribe(events: EventName[]): Promise<unknown>;
  unsubscribe(events: EventName[]): Promise<unknown>;
}

/** A stream as the hub sees it, whatever its event carries. */
interface Subscriber {
  /** Throws a DecodeError. */
  push(data: unknown): void;
  gap(gap: EventGap): void;
  end(error: Error | null): void;
}

/** Shares one subscription per event among all streams, and subscribes anew on each new connection. */
export class EventHub {
  readonly #subscribers = new Map<EventName, Set<Subscriber>>();
  /** Those who were subscribed when the connection broke, and haven't been told yet, with what they missed it for. */
  readonly #interrupted = new Map<Subscriber, EventGap>();

  #isClosed = false;

  constructor(private readonly port: EventHubPort) {}

  /** Opens a stream; it is subscribed as soon as there is a connection, and fails with `closed` once the hub is. */
  open<E extends EventName>(name: E, options: EventStreamOptions): EventStream<CoreEvents[E]> {
    const stream = new EventStream<CoreEvents[E]>(options, () => this.#remove(name, subscriber));
    const subscriber: Subscriber = {
      push: (data) => stream.push(eventDecoders[name](data)),
      gap: (gap) => stream.gap(gap),
      end: (error) => stream.end(error),
    };
    if (this.#isClosed) stream.end(new ConnectionError("closed", "the client was closed"));
    else if (!stream.isEnded) this.#add(name, subscriber);
    return stream;
  }

  /** Takes an event from the connection. */
  onEvent(name: string, data: unknown): void {
    if (!isEventName(name)) return;
    for (const [index, subscriber] of this.#of(name).entries()) {
      try {
        // One consumer's changes to its object are not the other's.
        subscriber.push(index === 0 ? data : structuredClone(data));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        subscriber.end(error);
      }
    }
  }

  /** Subscribes everything on a new connection; whoever missed something hears of it before the next event. */
  onOpen(): void {
    for (const [subscriber, gap] of this.#interrupted) subscriber.gap(gap);
    this.#interrupted.clear();
    this.#subscribe([...this.#subscribers.keys()]);
  }

  /** The connection is gone: whatever happens until the next one is missed. `dropped` is what the core said of it. */
  onLost(dropped: string | null): void {
    const gap: EventGap =
      dropped === null ? { reason: "reconnected" } : { reason: "dropped", message: dropped };
    for (const subscriber of this.#all()) {
      // The first reason is why events are missing; what follows only makes it last.
      if (!this.#interrupted.has(subscriber)) this.#interrupted.set(subscriber, gap);
    }
  }

  /** Ends every stream, with the error if there is one. */
  endAll(error: Error | null): void {
    for (const subscriber of this.#all()) subscriber.end(error);
  }

  /** Ends every stream for good: the client is closed. */
  close(): void {
    this.#isClosed = true;
    this.endAll(null);
  }

  #of(name: EventName): Subscriber[] {
    return [...(this.#subscribers.get(name) ?? [])];
  }

  #all(): Subscriber[] {
    return [...this.#subscribers.keys()].flatMap((name) => this.#of(name));
  }

  #add(name: EventName, subscriber: Subscriber): void {
    const subscribers = this.#subscribers.get(name);
    if (subscribers !== undefined) {
      subscribers.add(subscriber);
      return;
    }
    this.#subscribers.set(name, new Set([subscriber]));
    if (this.#subscribers.size === 1) this.port.retain();
    if (this.port.isOpen()) this.#subscribe([name]);
  }

  #remove(name: EventName, subscriber: Subscriber): void {
    this.#interrupted.delete(subscriber);
    const subscribers = this.#subscribers.get(name);
    if (subscribers?.delete(subscriber) !== true || subscribers.size > 0) return;
    this.#subscribers.delete(name);
    // Should it fail, the core pushes events that nobody takes: harmless.
    if (this.port.isOpen()) this.port.unsubscribe([name]).catch(() => undefined);
    if (this.#subscribers.size === 0) this.port.release();
  }

  #subscribe(names: EventName[]): void {
    if (names.length === 0) return;
    this.port.subscribe(names).catch((error: unknown) => {
      // A connection that broke meanwhile is followed by another, which subscribes again.
      if (error instanceof ConnectionError && error.code === "closed") return;
      for (const subscriber of names.flatMap((name) => this.#of(name))) subscriber.end(error as Error);
    });
  }
}
