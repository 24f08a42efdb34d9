/** Why a lab operation failed: branch on this, the message is for people. */
export type DockerLabErrorCode =
  "unavailable" | "commandFailed" | "timeout" | "aborted" | "engineFailed" | "stopped" | "noRoom" | "invalid";

/** A failure of the lab itself (no rights, the engine didn't come up, a tool failed), never of what is tested with it. */
export class DockerLabError extends Error {
  override readonly name = "DockerLabError";

  constructor(
    readonly code: DockerLabErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}
