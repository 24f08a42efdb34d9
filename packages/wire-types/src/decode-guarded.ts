import type { z } from "zod";
import { decodeWith } from "./decode-with.js";

/**
 * Checks a value with its guard, and asks the zod schema, which is several times slower, only when the guard says no:
 * for what is wrong, and where. A value that passes is given back as it is.
 */
export function decodeGuarded<T>(
  guard: (value: unknown) => value is T,
  schema: z.ZodType<T>,
  value: unknown,
): T {
  return guard(value) ? value : decodeWith(schema, value);
}
