import { PoolError } from "@continuum/broker-core";

/** What bringing an image back needs of an engine. */
export interface RestoringEngine {
  imageInspect(image: string, signal?: AbortSignal): Promise<{ readonly Id: string }>;
  imagePull(options: {
    readonly reference: string;
    readonly signal?: AbortSignal | undefined;
  }): Promise<unknown>;
  tag(image: string, reference: string, signal?: AbortSignal): Promise<void>;
}

/** An image that was here, as the ledger knows it. */
export interface LostImage {
  readonly id: string;
  /** Its tags. */
  readonly references: readonly string[];
  /** By digest; null when no registry is known to have it. */
  readonly restoreReference: string | null;
}

/** How bringing it back went. */
export interface RestoredImage {
  readonly outcome: "restored" | "present" | "impossible";
  /** What it was pulled by. */
  readonly reference: string | null;
  /** The tags that it has again, or still. */
  readonly references: readonly string[];
  /** What isn't as before. */
  readonly detail: string | null;
}

/** How it is brought back. */
export interface RestoreOptions {
  readonly signal?: AbortSignal;
  /** Called before anything is pulled; what it throws ends the restoring. */
  readonly beforePull?: () => Promise<void>;
}

/**
 * Pulls an image back by digest where it is gone, and gives it the tags that it had. A tag that names another image by
 * now is left to that one. Throws a PoolError when the registry or the engine fails.
 */
export async function restoreImage(
  engine: RestoringEngine,
  { id, references, restoreReference }: LostImage,
  { signal, beforePull }: RestoreOptions = {},
): Promise<RestoredImage> {
  let presentId = await findId(engine, id, signal);
  const isPresent = presentId !== null;
  if (presentId === null && restoreReference === null) {
    const detail = "no registry is known to have it, and nothing of it is left here";
    return { outcome: "impossible", reference: null, references: [], detail };
  }
  if (presentId === null && restoreReference !== null) {
    await beforePull?.();
    await engine.imagePull({ reference: restoreReference, signal });
    presentId = (await engine.imageInspect(restoreReference, signal)).Id;
  }
  const details: string[] = [];
  if (presentId !== null && presentId !== id) details.push(`it has another id now: ${presentId}`);
  const tagged: string[] = [];
  for (const reference of references) {
    const owner = await findId(engine, reference, signal);
    if (owner !== null && owner !== presentId) {
      details.push(`${reference} names another image now, and was left to it`);
      continue;
    }
    if (owner === null && presentId !== null) await engine.tag(presentId, reference, signal);
    tagged.push(reference);
  }
  return {
    outcome: isPresent ? "present" : "restored",
    reference: isPresent ? null : restoreReference,
    references: tagged,
    detail: details.length === 0 ? null : details.join("; "),
  };
}

async function findId(
  engine: RestoringEngine,
  image: string,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  try {
    return (await engine.imageInspect(image, signal)).Id;
  } catch (error) {
    if (error instanceof PoolError && error.code === "notFound") return null;
    throw error;
  }
}
