import type { z } from "zod";

/**
 * Ties a zod schema to a generated type: neither may be wider than the other, or it doesn't compile.
 * The schema keeps its own zod type, so that it stays composable (`.shape`, `.extend`, ...).
 */
export function contractSchema<T>(): <S extends z.ZodType<T>>(
  schema: [T] extends [z.output<S>] ? S : never,
) => S {
  return (schema) => schema;
}
