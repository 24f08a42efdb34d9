/**
 * A value that isn't what the contract says.
 *
 * `path` names the place (`pools[3].pressure`; empty for the value itself), `expected` what the contract says there,
 * `got` what came, shortened to a bounded length.
 */
export class DecodeError extends Error {
  override readonly name = "DecodeError";

  constructor(
    readonly path: string,
    readonly expected: string,
    readonly got: string,
  ) {
    super(`${path === "" ? "the value" : path}: expected ${expected}, got ${got}`);
  }
}
