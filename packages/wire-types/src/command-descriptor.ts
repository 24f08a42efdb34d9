/** Who may call a command. */
export type AccessLevel = "public" | "ai-safe" | "admin-only";

/** One way to call a command, for help texts. */
export interface CommandExample {
  readonly description: string;
  readonly command: string;
  readonly expectedResult: string | null;
}

/** A command at run time. */
export interface CommandDescriptor<Params, Result> {
  readonly name: string;
  readonly description: string;
  readonly accessLevel: AccessLevel;
  /** Whether it may be sent again when nobody knows if it was executed. */
  readonly idempotent: boolean;
  readonly examples: readonly CommandExample[];
  /** Checks a request's parameters; unknown ones are left out, a newer client may send more. Throws a DecodeError. */
  decodeParams(value: unknown): Params;
  /** Checks the core's reply; unknown keys pass. Throws a DecodeError. */
  decodeResult(value: unknown): Result;
}
