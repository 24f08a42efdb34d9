import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { HostFiles } from "../probe/host-files.js";
import { hostFiles } from "../probe/host-files.js";
import { StubEngine, type StubReply, type StubRequest } from "./stub-engine.js";

const BLOCK = 4096;

/** One image of the stub, as a test describes it. */
export interface StubImage {
  readonly id: string;
  tags: string[];
  digests?: string[];
  labels?: Record<string, string>;
  sizeBytes: number;
  createdAtMs: number;
  taggedAtMs?: number | null;
  parentId?: string;
}

/** An engine with images, containers and build cache on a disk whose figures follow from them. */
export class StubDocker {
  readonly images: StubImage[] = [];
  readonly usedBy: string[] = [];
  readonly cache: { id: string; sizeBytes: number; shared?: boolean; lastUsedAtMs: number }[] = [];
  otherBytes = 0;
  capacityBytes = 1000 * BLOCK;
  inodes: { total: number; free: number } | null = null;
  hostname = "here";
  operatingSystem = "stub";
  /** Called before each answer: what happens meanwhile, or the answer in place of the stub's. */
  intercept: (request: StubRequest) => StubReply | null = () => null;

  private constructor(readonly engine: StubEngine) {
    engine.answer = (request) => this.intercept(request) ?? this.#answer(request);
  }

  static async start(): Promise<StubDocker> {
    const stub = new StubDocker(await StubEngine.start());
    await mkdir(stub.rootDir);
    return stub;
  }

  get rootDir(): string {
    return join(this.engine.dir, "root");
  }

  get usedBytes(): number {
    const all = [...this.images, ...this.cache.filter(({ shared }) => shared !== true)];
    return all.reduce((sum, { sizeBytes }) => sum + sizeBytes, this.otherBytes);
  }

  /** The host's files, with the stub's disk below its root. */
  get files(): HostFiles {
    const statfs: HostFiles["statfs"] = () => {
      const bfree = (this.capacityBytes - this.usedBytes) / BLOCK;
      // Another 50 blocks are reserved for root.
      return Promise.resolve({
        bsize: BLOCK,
        blocks: this.capacityBytes / BLOCK + 50,
        bfree: bfree + 50,
        bavail: bfree,
        files: this.inodes?.total ?? 0,
        ffree: this.inodes?.free ?? 0,
      });
    };
    return { ...hostFiles, statfs };
  }

  async removeRoot(): Promise<void> {
    await rm(this.rootDir, { recursive: true });
  }

  stop(): Promise<void> {
    return this.engine.stop();
  }

  #answer({ method, path, rawQuery }: StubRequest): StubReply | null {
    const query = new URLSearchParams(rawQuery);
    if (path === "/info") {
      const info = { ID: "STUB", Name: this.hostname, DockerRootDir: this.rootDir, Driver: "overlay2" };
      return { json: { ...info, OperatingSystem: this.operatingSystem, Images: this.images.length } };
    }
    if (path === "/containers/json") {
      return { json: this.usedBy.map((id, i) => ({ Id: `c${i}`, Image: id, ImageID: id })) };
    }
    if (path === "/images/json") return { json: this.images.map(toListed) };
    if (path === "/system/df") return { json: this.#diskUsage() };
    if (path === "/build/prune") return { json: this.#prune(query.get("filters") ?? "{}") };
    // Nothing happens here by itself: the stream stays open until it isn't wanted any more.
    if (path === "/events") return { raw: (response) => response.flushHeaders() };
    const container = /^\/containers\/c(\d+)\/json$/.exec(path)?.[1];
    if (container !== undefined) return this.#inspectContainer(Number(container));
    const [, name = "", rest = ""] = /^\/images\/(.+?)(\/json|\/tag|\/history)?$/.exec(path) ?? [];
    const image = this.images.find(({ id, tags }) => id === name || tags.includes(name));
    if (image === undefined) return null;
    if (rest === "/json") return { json: toInspected(image) };
    if (rest === "/history") return { json: [] };
    if (rest === "/tag") {
      image.tags.push(`${query.get("repo") ?? ""}:${query.get("tag") ?? ""}`);
      return { status: 201, json: null };
    }
    return method === "DELETE" ? this.#remove(image, name) : null;
  }

  #remove(image: StubImage, name: string): StubReply {
    const conflict = (message: string): StubReply => ({ status: 409, json: { message } });
    if (name !== image.id && image.tags.length > 1) {
      image.tags = image.tags.filter((tag) => tag !== name);
      return { json: [{ Untagged: name }] };
    }
    if (this.usedBy.includes(image.id)) return conflict("image is being used by a container");
    if (image.tags.length > 1) return conflict("image is referenced in multiple repositories");
    if (this.images.some(({ parentId }) => parentId === image.id)) return conflict("has dependent children");
    this.images.splice(this.images.indexOf(image), 1);
    return { json: [{ Deleted: image.id }] };
  }

  #prune(filters: string): unknown {
    const [filter = ""] = (JSON.parse(filters) as { id?: string[] }).id ?? [];
    const wanted = new RegExp(JSON.parse(filter) as string);
    const gone = this.cache.filter(({ id }) => wanted.test(id));
    for (const record of gone) this.cache.splice(this.cache.indexOf(record), 1);
    const reclaimed = gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    return { CachesDeleted: gone.length === 0 ? null : gone.map(({ id }) => id), SpaceReclaimed: reclaimed };
  }

  #diskUsage(): unknown {
    return {
      LayersSize: this.images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      Images: this.images.map(toListed),
      Containers: this.usedBy.map((id, i) => ({ Id: `c${i}`, Image: id, ImageID: id, State: "running" })),
      Volumes: null,
      BuildCache: this.cache.length === 0 ? null : this.cache.map(toRecord),
    };
  }

  #inspectContainer(n: number): StubReply | null {
    const image = this.usedBy[n];
    if (image === undefined) return null;
    const State = {
      Status: "running",
      StartedAt: "2020-01-01T00:00:00Z",
      FinishedAt: "0001-01-01T00:00:00Z",
    };
    const HostConfig = { LogConfig: { Type: "none" } };
    return {
      json: { Id: `c${n}`, Name: `/c${n}`, Image: image, Created: State.StartedAt, State, HostConfig },
    };
  }
}

function toListed(image: StubImage): unknown {
  const { id, tags, digests, labels, sizeBytes, createdAtMs, parentId = "" } = image;
  return {
    Id: id,
    ParentId: parentId,
    RepoTags: tags.length === 0 ? ["<none>:<none>"] : tags,
    RepoDigests: digests ?? null,
    Labels: labels ?? null,
    Size: sizeBytes,
    SharedSize: -1,
    Created: Math.floor(createdAtMs / 1000),
  };
}

function toInspected(image: StubImage): unknown {
  const { id, tags, digests, labels, sizeBytes, createdAtMs, taggedAtMs } = image;
  const LastTagTime =
    taggedAtMs === null ? "0001-01-01T00:00:00Z" : new Date(taggedAtMs ?? createdAtMs).toISOString();
  return {
    Id: id,
    Created: new Date(createdAtMs).toISOString(),
    Metadata: { LastTagTime },
    RepoTags: tags,
    RepoDigests: digests ?? [],
    Config: { Labels: labels ?? null },
    Size: sizeBytes,
  };
}

function toRecord({ id, sizeBytes, shared, lastUsedAtMs }: StubDocker["cache"][number]): unknown {
  const at = new Date(lastUsedAtMs).toISOString();
  return { ID: id, InUse: false, Shared: shared ?? false, Size: sizeBytes, CreatedAt: at, LastUsedAt: at };
}
