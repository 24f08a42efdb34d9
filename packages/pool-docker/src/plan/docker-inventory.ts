/** One image as the planner sees it. Times are Unix milliseconds; null means unknown, and unknown protects. */
export interface InventoryImage {
  readonly id: string;
  /** The image that this one was built on, by the older builder; "" when not known. */
  readonly parentId: string;
  /** Diff ids of its layers from the base up: two images share what they have in common from the base up. */
  readonly layers: readonly string[];
  /** Bytes of each of `layers`; null where the engine's history doesn't tell them apart. */
  readonly layerBytes: readonly number[] | null;
  readonly tags: readonly string[];
  /** References with a digest, which pull the image back where a registry has it. */
  readonly digests: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** With all layers, shared ones too. */
  readonly sizeBytes: number;
  readonly createdAtMs: number | null;
  readonly taggedAtMs: number | null;
  /** When it came to this machine. */
  readonly arrivedAtMs: number | null;
  /** How long the steps took that made it, where its history tells; milliseconds. */
  readonly buildMs: number | null;
}

/** One container, running or not. */
export interface InventoryContainer {
  readonly id: string;
  readonly name: string;
  /** Id of its image; "" when the engine doesn't say. */
  readonly imageId: string;
  /** The image as it was written when the container was made: a reference, an id, or a part of one. */
  readonly image: string;
  /** As the engine says: `created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`. */
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAtMs: number | null;
  /** When it last ended; null while it runs, when it never ran, and when unknown. */
  readonly finishedAtMs: number | null;
  /** Its writable layer; null when unknown. */
  readonly writableBytes: number | null;
}

/** One record of build cache. */
export interface InventoryCacheRecord {
  readonly id: string;
  /** Records that this one was made from: they can't go before it. */
  readonly parentIds: readonly string[];
  readonly inUse: boolean;
  /** Its bytes belong to an image too: they are freed only when both are gone. */
  readonly shared: boolean;
  readonly sizeBytes: number;
  readonly createdAtMs: number | null;
  readonly lastUsedAtMs: number | null;
  readonly useCount: number;
  readonly description: string;
}

/** What an engine holds, as far as eviction is concerned. */
export interface DockerInventory {
  readonly images: readonly InventoryImage[];
  readonly containers: readonly InventoryContainer[];
  /** Null when the engine doesn't say. */
  readonly buildCache: readonly InventoryCacheRecord[] | null;
  /** False with containerd's image store, which gives digests to images that were built here, too. */
  readonly digestsAreFromRegistries: boolean;
}
