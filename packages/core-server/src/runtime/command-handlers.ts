import type { AccessLevel, CommandName, CommandParams, CommandResult } from "@continuum/wire-types";
import type { AttachedReply } from "./attached-reply.js";

/** An event that the core pushes to connections that subscribed. */
export type PushedEventName =
  "pressure-alert" | "pressure-state" | "eviction" | "alert-message" | "pool-evict";

/** What a connection may ask for; `none`: not even what is public, but for the few commands that tell it how to go on. */
export type GrantedAccess = AccessLevel | "none";

/** The connection a request came by, as far as a handler may touch it. */
export interface RequestConnection {
  /** Unique for the life of the core. */
  readonly id: number;
  /** The most that may be asked over it: who may open the socket decides, or a token. */
  readonly access: GrantedAccess;
  /** Whether a token was presented over it that isn't the core's. */
  readonly hasWrongToken: boolean;
  /** Presents a token; gives the access from now on. Throws or rejects with a RequestError for a wrong one. */
  authenticate(token: string): AccessLevel | Promise<AccessLevel>;
  /** Everything that the connection is subscribed to now, sorted. */
  readonly subscriptions: readonly PushedEventName[];
  subscribe(event: PushedEventName): void;
  unsubscribe(event: PushedEventName): void;
  /** Sends an event over this connection alone, subscribed or not; false when it is closing. */
  send(event: PushedEventName, data: unknown): boolean;
  /** Calls `run` once when the connection has closed, at once if it has; gives the function that ends it. */
  onClosed(run: () => void): () => void;
}

/** Who waits for a request. */
export interface RequestOwner {
  /** Whose request it is: where many wait, connections have their turns. */
  readonly connection?: object;
  /** Calls `run` when nobody waits any more, at once if that is so; costs far less than a signal that nobody asks for. */
  onAborted(run: (reason: Error) => void): void;
}

/** What a handler knows beside the params. */
export interface RequestContext extends RequestOwner {
  /** Aborts when the request times out, its connection closes, or the core stops. Made when it is first asked for. */
  readonly signal: AbortSignal;
  readonly connection: RequestConnection;
}

/** Answers one command; throws a RequestError for what the peer can act on, anything else is an internal error. */
export type CommandHandler<C extends CommandName> = (
  params: CommandParams<C>,
  context: RequestContext,
) => Reply<C> | Promise<Reply<C>>;

/** A result, alone or with an attachment. */
type Reply<C extends CommandName> = CommandResult<C> | AttachedReply<CommandResult<C>>;

/** A handler for every command of the contract. */
export type CommandHandlers = { readonly [C in CommandName]: CommandHandler<C> };

/** The commands that are handled, sorted; a spec without a handler doesn't compile where this is called. */
export function handledCommands(handlers: CommandHandlers): readonly CommandName[] {
  return (Object.keys(handlers) as CommandName[]).sort();
}
