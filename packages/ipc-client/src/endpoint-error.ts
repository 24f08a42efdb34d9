/** Which part of an endpoint's URL can't be used. */
export type EndpointErrorCode = "badScheme" | "badPath" | "badAddress";

/** A URL that names no endpoint of a core. */
export class EndpointError extends Error {
  override readonly name = "EndpointError";

  constructor(
    readonly code: EndpointErrorCode,
    readonly url: string,
    expected: string,
  ) {
    super(`${JSON.stringify(url)} is no endpoint: expected ${expected}`);
  }
}
