import type { EngineEvent } from "../engine/engine-events.js";

/** What the journal needs of an engine. */
export interface JournalEngine {
  events(options: {
    readonly sinceMs?: number | null;
    readonly signal: AbortSignal;
  }): Promise<AsyncIterable<EngineEvent>>;
  containers(signal?: AbortSignal): Promise<readonly { readonly Id: string; readonly ImageID: string }[]>;
  containerInspect(
    id: string,
    signal?: AbortSignal,
  ): Promise<{
    readonly Image: string;
    readonly State: { readonly StartedAt: number | null; readonly FinishedAt: number | null };
  }>;
  images(signal?: AbortSignal): Promise<readonly { readonly Id: string }[]>;
  imageInspect(
    image: string,
    signal?: AbortSignal,
  ): Promise<{
    readonly Id: string;
    readonly RootFS?: { readonly Layers?: readonly string[] | null | undefined } | null | undefined;
  }>;
}
