import type { DockerLab } from "@continuum/tools/docker-lab";

/** What raced against an eviction, and what became of it. */
export interface RaceCount {
  /** Operations that were carried out while the core evicted. */
  readonly races: Readonly<Record<"pull" | "run" | "tag" | "build", number>>;
  /** Operations whose image was lost to them, one line each; empty when none was. */
  readonly losses: readonly string[];
  /** Operations that came too late: the image had gone before they began. */
  readonly tooLate: number;
}

/** Makes images of about this size: small ones race more often. */
const IMAGE_BYTES = 200_000;
/** As many repositories to pull from. */
const SOURCES = 24;
const WORKERS = 12;

/** How a race is run. */
export interface RaceOptions {
  readonly count: number;
  /** For how long an image is spared after its last use: each operation begins about when that ends. */
  readonly idleMs: number;
}

/**
 * Pulls, runs, tags and builds, again and again, each on an image that an eviction is about to want, until `count` are
 * done.
 */
export async function race(lab: DockerLab, { count, idleMs }: RaceOptions): Promise<RaceCount> {
  // From a little before the image may go until after it has lost its names, and went.
  const untilWanted = (n: number): Promise<void> =>
    new Promise((resolve) => setTimeout(resolve, idleMs - 150 + ((n * 37) % 1_800)));
  const races = { pull: 0, run: 0, tag: 0, build: 0 };
  const losses: string[] = [];
  let tooLate = 0;
  let begun = 0;
  const docker = async (args: readonly string[], input?: string): Promise<string | null> => {
    try {
      const { stdout } = await lab.docker(args, {
        timeoutMs: 60_000,
        ...(input === undefined ? {} : { input }),
      });
      return stdout.trim();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      // Gone before it began: the engine said so, and did nothing.
      if (/no such image|not found|does not exist|unable to find image|pull access denied/i.test(text))
        return null;
      throw error;
    }
  };
  const exists = async (image: string): Promise<boolean> =>
    (await docker(["image", "inspect", image])) !== null;

  const steps = {
    // What is pulled must be whole once the pull has ended well, and be there for the run that follows.
    pull: async (n: number): Promise<void> => {
      const reference = `${lab.registryHost ?? ""}/race/pull-${n % SOURCES}:1`;
      const name = `race-pull-${n}`;
      await docker(["pull", "--quiet", reference]);
      await untilWanted(n);
      if ((await docker(["pull", "--quiet", reference])) === null) {
        losses.push(`pull of ${reference} failed`);
        return;
      }
      const made = await docker(["create", "--name", name, "--network", "none", reference]);
      if (made === null) losses.push(`${reference} was gone right after its pull`);
      else await holds(name, reference);
    },
    // What a container is made from stays for as long as the container does.
    run: async (n: number): Promise<void> => {
      const image = `race/run-${n}:1`;
      await lab.importImage({ name: image, bytes: IMAGE_BYTES, runnable: true });
      await untilWanted(n);
      const name = `race-run-${n}`;
      const made = await docker([
        "run",
        "--detach",
        "--pull",
        "never",
        "--name",
        name,
        "--network",
        "none",
        "--stop-signal",
        "SIGKILL",
        image,
      ]);
      if (made === null) tooLate++;
      else await holds(name, image);
    },
    // A tag that the engine gave names an image for as long as nothing but an older plan wants it.
    tag: async (n: number): Promise<void> => {
      const image = `race/tag-${n}:1`;
      await lab.importImage({ name: image, bytes: IMAGE_BYTES, runnable: true });
      await untilWanted(n);
      const other = `race/tagged-${n}:2`;
      if ((await docker(["tag", image, other])) === null) {
        tooLate++;
        return;
      }
      const name = `race-tag-${n}`;
      const made = await docker(["create", "--pull", "never", "--name", name, "--network", "none", other]);
      if (made === null) tooLate++;
      else await holds(name, other);
    },
    // A build that began with its base ends well, and its image is whole.
    build: async (n: number): Promise<void> => {
      const base = `race/base-${n}:1`;
      await lab.importImage({ name: base, bytes: IMAGE_BYTES, runnable: true });
      await untilWanted(n);
      const image = `race/built-${n}:1`;
      const file = `FROM ${base}\nRUN ["/bin/busybox", "true"]\nLABEL n=${n}\n`;
      let built: string | null;
      try {
        built = await docker(["build", "--quiet", "--network", "none", "--tag", image, "-"], file);
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        // Without its base there is no second step: it was gone when the build began.
        if (!/Step 2\//u.test(text)) tooLate++;
        else losses.push(`build on ${base}: ${text}`);
        return;
      }
      if (built === null) {
        tooLate++;
        return;
      }
      const name = `race-built-${n}`;
      if ((await docker(["create", "--pull", "never", "--name", name, "--network", "none", image])) === null)
        tooLate++;
      else await holds(name, image);
    },
  };
  /** The container's image is there, by the id that the container has; then the container goes. */
  const holds = async (container: string, image: string): Promise<void> => {
    const id = await docker(["container", "inspect", "--format", "{{.Image}}", container]);
    if (id === null || !(await exists(id))) losses.push(`${image} was lost under the container ${container}`);
    await docker(["rm", "--force", container]);
  };
  const work = async (kinds: readonly (keyof typeof steps)[]): Promise<void> => {
    while (begun < count) {
      const n = begun++;
      const kind = kinds[n % kinds.length] ?? "run";
      await steps[kind](n);
      races[kind]++;
    }
  };
  const mix = ["pull", "run", "tag", "pull", "run", "tag", "build"] as const;
  await Promise.all(Array.from({ length: WORKERS }, () => work(mix)));
  return { races, losses, tooLate };
}

/** Pushes what the pulls race for. */
export async function prepareRaces(lab: DockerLab): Promise<void> {
  for (let i = 0; i < SOURCES; i++) {
    const name = `race-source/${i}:1`;
    await lab.importImage({ name, bytes: IMAGE_BYTES, runnable: true });
    await lab.pushImage(name, `race/pull-${i}:1`);
    await lab.docker(["image", "rm", name]);
  }
}
