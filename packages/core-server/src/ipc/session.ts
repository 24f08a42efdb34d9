import type { Clock } from "@continuum/broker-core";
import type { AccessLevel } from "@continuum/wire-types";
import { RequestError } from "../request-error.js";
import type { GrantedAccess } from "../runtime/command-handlers.js";
import type { TokenCheck } from "./token-check.js";

/** What one connection may ask for, and how it comes to that. */
export interface Session {
  readonly access: GrantedAccess;
  /** Whether a wrong token was presented. */
  readonly hasWrongToken: boolean;
  /** The access from now on. Throws or rejects with a RequestError `accessDenied` for a wrong token. */
  authenticate(token: string): AccessLevel | Promise<AccessLevel>;
}

/** A session of a socket whose own rights decide who may open it: a token changes nothing. */
export function openSession(access: AccessLevel): Session {
  return { access, hasWrongToken: false, authenticate: () => access };
}

/** What a session that owes a token needs of its server. */
export interface TokenSessionPort {
  readonly clock: Clock;
  /** Null: there is no token, and nobody gets in. */
  readonly check: TokenCheck | null;
  /** What the token is good for. */
  readonly access: AccessLevel;
  readonly wrongTokenDelayMs: number;
  /** The connection is closed after so many. */
  readonly maxWrongTokens: number;
  onAuthenticated(): void;
  /** Told of each wrong token, never of the token itself. */
  onWrongToken(count: number): void;
  /** Answers what is in flight, then closes the connection. */
  endConnection(): void;
}

/**
 * A session that grants nothing until the token was presented. A wrong one is answered after a while, one at a time, and
 * a few of them end the connection: guessing is slow, and whoever has the right token never waits for those who guess.
 */
export class TokenSession implements Session {
  #access: GrantedAccess = "none";
  #wrongTokens = 0;
  #isDelaying = false;

  constructor(private readonly port: TokenSessionPort) {}

  get access(): GrantedAccess {
    return this.#access;
  }

  get hasWrongToken(): boolean {
    return this.#wrongTokens > 0;
  }

  authenticate(token: string): AccessLevel | Promise<AccessLevel> {
    if (this.#isDelaying) throw denied("one token at a time: the last one was wrong");
    const { access, check } = this.port;
    if (check?.matches(token) !== true) return this.#refuse();
    if (this.#access === "none") {
      this.#access = access;
      this.port.onAuthenticated();
    }
    return access;
  }

  #refuse(): Promise<never> {
    const { clock, wrongTokenDelayMs, maxWrongTokens } = this.port;
    this.#wrongTokens += 1;
    this.port.onWrongToken(this.#wrongTokens);
    this.#isDelaying = true;
    return new Promise((_resolve, reject) => {
      clock.setTimeout(() => {
        this.#isDelaying = false;
        if (this.#wrongTokens >= maxWrongTokens) this.port.endConnection();
        reject(denied("that isn't this core's token"));
      }, wrongTokenDelayMs);
    });
  }
}

const COMMAND = "session/authenticate";

function denied(text: string): RequestError {
  const detail = { kind: "accessDenied", command: COMMAND, accessLevel: "public" } as const;
  return new RequestError(`${COMMAND}: ${text}`, detail);
}
