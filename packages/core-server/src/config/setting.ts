/** One thing that can be set by a flag or by an environment variable. */
export interface Setting<T> {
  /** As commander takes it: `--tick-ms <N>`. */
  readonly flag: `--${string}`;
  readonly placeholder: string;
  readonly variable: `CONTINUUM_${string}`;
  readonly description: string;
  /** For a person: what a value must be. */
  readonly expected: string;
  readonly defaultValue: T;
  /** How the default is shown in the help. */
  readonly defaultText: string;
  /** What the flag alone means, without a value; left out where it needs one. */
  readonly preset?: string;
  /** Whether what is typed may hold a secret: no error repeats it then. */
  readonly isSecret?: boolean;
  /** Null when the text can't be used. */
  readonly parse: (text: string) => T | null;
}

/** The setting itself: it names the type of its value. */
export const setting = <T>(definition: Setting<T>): Setting<T> => definition;
