import { type AccessLevel, COMMANDS, type CommandName, DecodeError } from "@continuum/wire-types";
import { nearestName } from "./nearest-name.js";
import { MAX_ECHO, RequestError } from "./request-error.js";
import { buildRouteTable, type Route } from "./route-table.js";
import type { CommandHandlers, GrantedAccess, RequestContext } from "./runtime/command-handlers.js";
import type { ModuleRuntime } from "./runtime/module-runtime.js";
import { shorten } from "./shorten.js";

/** From what everybody may ask to what only the owner may. */
const ACCESS_ORDER: readonly GrantedAccess[] = ["none", "public", "ai-safe", "admin-only"];

/** What a connection may ask for that owes a token. */
const OPEN_COMMANDS: ReadonlySet<string> = new Set<CommandName>(["health-check", "session/authenticate"]);

/** Commands of the connection itself: answered at once, in order, whatever the modules do. */
export type SessionHandlers = Pick<CommandHandlers, "session/authenticate">;

/** Takes a command by name and params as they came, and gives the handler's result. */
export class Router {
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #commands: readonly CommandName[];

  /** Throws a CoreError `routes` when the modules and the commands of the contract don't match. */
  constructor(
    private readonly runtime: ModuleRuntime,
    private readonly session: SessionHandlers,
  ) {
    this.#commands = (Object.keys(COMMANDS) as CommandName[]).sort();
    const routed = this.#commands.filter((command) => !Object.hasOwn(session, command));
    this.#routes = buildRouteTable(runtime.modules, routed);
  }

  /**
   * Gives the handler's result, or a promise of it. Throws or rejects with a RequestError `unknownCommand`,
   * `accessDenied`, `invalidParams` or `overloaded`, or with whatever the handler threw.
   */
  dispatch(command: string, params: Readonly<Record<string, unknown>>, context: RequestContext): unknown {
    const { access } = context.connection;
    if (access === "none") requireOpen(command, context.connection.hasWrongToken);
    if (command === "session/authenticate") {
      return this.session[command](decodeParams(command, params), context);
    }
    const route = this.#routes.get(command);
    if (route === undefined) throw this.#unknown(command);
    if (access !== "none") requireAccess(route.command, access);
    const decoded = decodeParams(route.command, params);
    return this.runtime.run(route.module, () => route.handle(decoded, context), context);
  }

  #unknown(typed: string): RequestError {
    const nearest = nearestName(typed, this.#commands);
    const command = shorten(typed, MAX_ECHO);
    const hint = nearest === null ? "" : `; did you mean "${nearest}"?`;
    const text = `unknown command ${JSON.stringify(command)}${hint}${nearest === null ? ";" : ""} commands: ${this.#commands.join(", ")}`;
    return new RequestError(text, {
      kind: "unknownCommand",
      command,
      commands: [...this.#commands],
      nearest,
    });
  }
}

function requireOpen(command: string, hasWrongToken: boolean): void {
  if (OPEN_COMMANDS.has(command)) return;
  const name = shorten(command, MAX_ECHO);
  // Clients send the request behind the token, without waiting for what is said of that.
  const what = hasWrongToken
    ? "the token that was presented is wrong: this connection still owes the core's"
    : "this connection owes a token: present the core's first, with session/authenticate";
  const how =
    "clients of this project take it from the option token, CONTINUUM_TOKEN, the file CONTINUUM_TOKEN_FILE, or the one that " +
    "a core of this user made; the core's first lines say which it is";
  throw new RequestError(`${name}: ${what}; ${how}`, {
    kind: "accessDenied",
    command: name,
    accessLevel: Object.hasOwn(COMMANDS, command) ? COMMANDS[command as CommandName].accessLevel : "public",
  });
}

function requireAccess(command: CommandName, granted: AccessLevel): void {
  const { accessLevel } = COMMANDS[command];
  if (ACCESS_ORDER.indexOf(accessLevel) <= ACCESS_ORDER.indexOf(granted)) return;
  throw new RequestError(
    `${command} is ${accessLevel}, and this connection may only use what is ${granted}`,
    {
      kind: "accessDenied",
      command,
      accessLevel,
    },
  );
}

function decodeParams(command: CommandName, params: Readonly<Record<string, unknown>>): never {
  try {
    // Each descriptor decodes what its own handler takes; the route keeps the two together.
    return COMMANDS[command].decodeParams(params) as never;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    const { expected } = error;
    const path = shorten(error.path, MAX_ECHO);
    const got = shorten(error.got, MAX_ECHO);
    const where = path === "" ? "the params" : path;
    throw new RequestError(
      `${command}: ${where}: expected ${expected}, got ${got}`,
      { kind: "invalidParams", command, path, expected, got },
      { cause: error },
    );
  }
}
