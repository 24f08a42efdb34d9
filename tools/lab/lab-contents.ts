import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { checksumTrees } from "./content-checksum.js";
import type { DfReading } from "./df-reading.js";
import { DockerLabError } from "./docker-lab-error.js";
import { nextFillBytes } from "./fill-plan.js";
import { busyboxFile, incompressibleBytes, tarStream } from "./image-stream.js";
import type { RunToolOptions, ToolOutput } from "./run-tool.js";

/** The image that containers and builds start from when none is named. */
const BUSYBOX_IMAGE = "continuum-lab/busybox:1";
const SLEEP = JSON.stringify(["/bin/busybox", "sleep", "2147483647"]);
const DEFAULT_FILL_IMAGE_BYTES = 48 * 2 ** 20;

/** What the contents of a lab are made with. */
interface LabContentsPorts {
  docker(args: readonly string[], options?: RunToolOptions): Promise<ToolOutput>;
  df(): Promise<DfReading>;
  log(line: string): void;
  /** `127.0.0.1:PORT`, null without a registry. */
  readonly registryHost: string | null;
}

/** One imported image. */
export interface ImportImageOptions {
  /** Reference with tag; null leaves the image dangling. */
  readonly name: string | null;
  /** Bytes of its incompressible content. */
  readonly bytes: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** The same seed gives the same content; the name by default. */
  readonly seed?: string;
  /** Adds a busybox (2 MB) and a command that sleeps, so that containers can be made from it. */
  readonly runnable?: boolean;
}

/** One built image: a layer of incompressible bytes for each entry. */
export interface BuildImageOptions {
  readonly name: string;
  /** Must hold a busybox at /bin/busybox; the lab's busybox image by default. */
  readonly from?: string;
  readonly layers: readonly { readonly bytes: number }[];
  readonly buildkit?: boolean;
}

/** What a fill made, oldest first, and the disk afterwards. */
export interface FillResult {
  readonly images: readonly string[];
  readonly df: DfReading;
}

/** Makes images, containers, volumes and build cache in a lab's engine, and proves afterwards that they are intact. */
export class LabContents {
  readonly #ports: LabContentsPorts;
  #busybox: Promise<string> | null = null;

  constructor(ports: LabContentsPorts) {
    this.#ports = ports;
  }

  /** Imports an image made on the fly; gives its id (`sha256:...`). */
  async importImage(options: ImportImageOptions): Promise<string> {
    const { name, bytes, runnable = false } = options;
    const seed = options.seed ?? name ?? `dangling ${bytes}`;
    const payload = { path: "payload", mode: 0o644, bytes, content: incompressibleBytes(bytes, seed) };
    const changes = Object.entries(options.labels ?? {}).map(
      ([key, value]) => `LABEL ${quoteInDockerfile(key)}=${quoteInDockerfile(value)}`,
    );
    if (runnable) changes.push(`CMD ${SLEEP}`);
    const input = tarStream(runnable ? [busyboxFile(), payload] : [payload]);
    const args = [
      "import",
      ...changes.flatMap((change) => ["--change", change]),
      "-",
      ...(name === null ? [] : [name]),
    ];
    return (await this.#ports.docker(args, { input })).stdout.trim();
  }

  /** The runnable image with nothing but a busybox, imported at the first use. */
  busyboxImage(): Promise<string> {
    this.#busybox ??= this.importImage({ name: BUSYBOX_IMAGE, bytes: 0, runnable: true });
    return this.#busybox.then(() => BUSYBOX_IMAGE);
  }

  /** Builds an image whose layers are random bytes written by `RUN` steps; gives its id. */
  async buildImage(options: BuildImageOptions): Promise<string> {
    const from = options.from ?? (await this.busyboxImage());
    const steps = options.layers.map(({ bytes }, index) => {
      const blocks = Math.max(1, Math.round(bytes / 4096));
      return `RUN ${JSON.stringify(["/bin/busybox", "dd", "if=/dev/urandom", `of=/layer-${index}`, "bs=4096", `count=${blocks}`])}`;
    });
    await this.#ports.docker(["build", "--quiet", "--network", "none", "--tag", options.name, "-"], {
      input: [`FROM ${from}`, ...steps, ""].join("\n"),
      env: { DOCKER_BUILDKIT: options.buildkit === false ? "0" : "1" },
    });
    return await this.imageId(options.name);
  }

  /** Leaves about `bytes` of build cache that no image refers to. */
  async fillBuildCache({ bytes, layers = 4 }: { bytes: number; layers?: number }): Promise<void> {
    const name = `continuum-lab/cache:${process.hrtime.bigint()}`;
    const each = Math.ceil(bytes / layers);
    await this.buildImage({ name, layers: Array.from({ length: layers }, () => ({ bytes: each })) });
    await this.#ports.docker(["image", "rm", name]);
  }

  /** Starts a container that runs until it is ended (it sleeps); gives its id. The image must be runnable. */
  async runContainer({ image, name }: { image?: string; name: string }): Promise<string> {
    const from = image ?? (await this.busyboxImage());
    // Ended by SIGKILL at once: a sleeping process number 1 doesn't heed SIGTERM.
    const args = ["run", "--detach", "--network", "none", "--stop-signal", "SIGKILL", "--name", name, from];
    return (await this.#ports.docker(args)).stdout.trim();
  }

  /** Runs a container to its end, with 64 KiB in its writable layer; gives its id. The image must be runnable. */
  async createStopped({ image, name }: { image?: string; name: string }): Promise<string> {
    const from = image ?? (await this.busyboxImage());
    const write = ["/bin/busybox", "dd", "if=/dev/urandom", "of=/written", "bs=4096", "count=16"];
    await this.#ports.docker(["run", "--network", "none", "--name", name, from, ...write]);
    return await this.#inspect(["container", "inspect", "--format", "{{.Id}}", name]);
  }

  /** Makes a named volume that holds one file of incompressible bytes. */
  async createVolume({ name, bytes, seed }: { name: string; bytes: number; seed?: string }): Promise<void> {
    await this.#ports.docker(["volume", "create", name]);
    const mountPoint = await this.#volumeDir(name);
    const content = Readable.from(incompressibleBytes(bytes, seed ?? name), { objectMode: false });
    await pipeline(content, createWriteStream(join(mountPoint, "content")));
  }

  /**
   * Fills the disk with unused tagged images (`PREFIX-1:fill`, `PREFIX-2:fill`, ...; older ones have lower numbers)
   * until `df` shows at least `ratio`; the last one is sized to land within half a point of it.
   */
  async fillTo(
    ratio: number,
    options: { imageBytes?: number; prefix?: string; signal?: AbortSignal } = {},
  ): Promise<FillResult> {
    if (!(ratio > 0 && ratio <= 0.995)) {
      throw new DockerLabError(
        "invalid",
        `can't fill to ${ratio}: the ratio lies above 0 and at or below 0.995`,
      );
    }
    const { imageBytes = DEFAULT_FILL_IMAGE_BYTES, prefix = "continuum-lab/fill", signal } = options;
    const images: string[] = [];
    for (let df = await this.#ports.df(); ; df = await this.#ports.df()) {
      const bytes = nextFillBytes(df, ratio, imageBytes);
      if (bytes === null) return { images, df };
      if (signal?.aborted === true) throw new DockerLabError("aborted", "filling was aborted");
      const name = `${prefix}-${images.length + 1}:fill`;
      await this.importImage({ name, bytes });
      images.push(name);
      this.#ports.log(`filling: ${name}, disk was at ${(df.pressure * 100).toFixed(1)} %`);
    }
  }

  /** Id of an image by any reference to it; rejects when there is none. */
  imageId(image: string): Promise<string> {
    return this.#inspect(["image", "inspect", "--format", "{{.Id}}", image]);
  }

  /** SHA-256 of an image's id and of all that its layers hold on disk. */
  async imageChecksum(image: string): Promise<string> {
    const id = await this.imageId(image);
    const layers = await this.#layerDirs(["image", "inspect", image]);
    return `${id} ${await checksumTrees(layers)}`;
  }

  /** SHA-256 of what a container wrote, with its id and its image's. */
  async containerChecksum(container: string): Promise<string> {
    const ids = await this.#inspect(["container", "inspect", "--format", "{{.Id}} {{.Image}}", container]);
    const [upper] = await this.#layerDirs(["container", "inspect", container]);
    return `${ids} ${await checksumTrees(upper === undefined ? [] : [upper])}`;
  }

  /** SHA-256 of a volume's content. */
  async volumeChecksum(volume: string): Promise<string> {
    return await checksumTrees([await this.#volumeDir(volume)]);
  }

  /** Pushes an image to the lab's registry as `HOST/REPOSITORY:TAG`; gives that name and the digest reference that pulls it back. */
  async pushImage(image: string, target: string): Promise<{ name: string; digestReference: string }> {
    const name = `${this.#registry()}/${target}`;
    await this.#ports.docker(["tag", image, name]);
    await this.#ports.docker(["push", "--quiet", name]);
    const repository = `${name.slice(0, name.lastIndexOf(":"))}@`;
    const format = "{{range .RepoDigests}}{{println .}}{{end}}";
    const digests = (await this.#inspect(["image", "inspect", "--format", format, name])).split("\n");
    const found = digests.find((each) => each.startsWith(repository));
    if (found === undefined) throw new DockerLabError("engineFailed", `${name} was pushed but has no digest`);
    return { name, digestReference: found };
  }

  /** Pulls an image by its name or digest reference; gives its id. */
  async pullImage(reference: string): Promise<string> {
    await this.#ports.docker(["pull", "--quiet", reference]);
    return await this.imageId(reference);
  }

  #registry(): string {
    if (this.#ports.registryHost === null) {
      throw new DockerLabError("invalid", "this lab has no registry: start it with { registry: true }");
    }
    return this.#ports.registryHost;
  }

  #volumeDir(name: string): Promise<string> {
    return this.#inspect(["volume", "inspect", "--format", "{{.Mountpoint}}", name]);
  }

  /** Directories of an overlay2 image or container, the topmost first. */
  async #layerDirs(inspect: readonly string[]): Promise<string[]> {
    const format = "{{.GraphDriver.Data.UpperDir}}\n{{.GraphDriver.Data.LowerDir}}";
    const [upper = "", lower = ""] = (await this.#inspect([...inspect, "--format", format])).split("\n");
    return [upper, ...lower.split(":")].filter((dir) => dir !== "" && dir !== "<no value>");
  }

  async #inspect(args: readonly string[]): Promise<string> {
    return (await this.#ports.docker(args, { timeoutMs: 30_000 })).stdout.trim();
  }
}

/** A quoted word of a Dockerfile instruction, in which nothing is a variable. */
function quoteInDockerfile(text: string): string {
  return JSON.stringify(text).replaceAll("$", "\\$");
}
