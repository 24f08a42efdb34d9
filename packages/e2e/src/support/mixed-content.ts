import { createProtectedScene, type DockerLab, type ProtectedScene } from "@continuum/tools/docker-lab";

const MB = 1_000_000;

/** A disk as it is after months: a bit of everything, and what must survive. */
export interface MixedContent {
  readonly scene: ProtectedScene;
  /** Images of the lab's registry, which can be pulled back: name, digest reference and id. */
  readonly pulled: readonly {
    readonly name: string;
    readonly digestReference: string;
    readonly id: string;
  }[];
  /** Images that exist only here. */
  readonly local: readonly string[];
  /** The largest image's size, as an upper bound of how far relief may go beyond its target. */
  readonly largestBytes: number;
}

/**
 * Fills a lab to 97 % with images of a registry (three of them on one base), images built here, build cache, stopped
 * containers, a named volume, a container with a huge log, and the protected scene.
 */
export async function fillMixed(lab: DockerLab): Promise<MixedContent> {
  const scene = await createProtectedScene(lab, { cacheBytes: 30 * MB });
  await lab.importImage({ name: "mixed/base:1", bytes: 20 * MB, runnable: true });
  const pulled: { name: string; digestReference: string; id: string }[] = [];
  for (let i = 0; i < 3; i++) {
    const name = `mixed/app-${i}:1`;
    await lab.buildImage({ name, from: "mixed/base:1", layers: [{ bytes: 15 * MB }], buildkit: false });
    pulled.push(await toPulled(lab, name, `apps/app-${i}:1`));
  }
  await lab.docker(["image", "rm", "mixed/base:1"]);
  for (let i = 0; i < 9; i++) {
    const name = `mixed/pulled-${i}:1`;
    await lab.importImage({ name, bytes: 40 * MB });
    pulled.push(await toPulled(lab, name, `pulled/image-${i}:1`));
  }
  // Prints some 30 MB to its log, and keeps running: the log stays.
  const busybox = await lab.busyboxImage();
  const noise =
    "i=0; while [ $i -lt 30 ]; do /bin/busybox head -c 700000 /dev/urandom | /bin/busybox base64; i=$((i+1)); done";
  const talk = ["/bin/busybox", "sh", "-c", `${noise}; exec /bin/busybox sleep 2147483647`];
  await lab.docker([
    "run",
    "--detach",
    "--network",
    "none",
    "--stop-signal",
    "SIGKILL",
    "--name",
    "talks",
    busybox,
    ...talk,
  ]);
  for (let i = 0; i < 2; i++) {
    const write = ["/bin/busybox", "dd", "if=/dev/urandom", "of=/written", "bs=4096", "count=3000"];
    await lab.docker(["run", "--network", "none", "--name", `ended-${i}`, busybox, ...write]);
  }
  const { images: local } = await lab.fillTo(0.97, { imageBytes: 40 * MB, prefix: "mixed/local" });
  return { scene, pulled, local, largestBytes: 45 * MB };
}

/** Pushes an image to the lab's registry and leaves it here under that name alone. */
async function toPulled(
  lab: DockerLab,
  name: string,
  target: string,
): Promise<{ name: string; digestReference: string; id: string }> {
  const pushed = await lab.pushImage(name, target);
  await lab.docker(["image", "rm", name]);
  return { ...pushed, id: await lab.imageId(pushed.name) };
}
