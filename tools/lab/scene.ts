import type { LabContents } from "./lab-contents.js";

const MIB = 2 ** 20;

/** Something that no eviction may touch, with what it was like when it was made. */
export interface ProtectedThing {
  readonly kind: "image" | "container" | "volume";
  readonly name: string;
  /** Why it must survive, for people. */
  readonly reason: string;
  readonly checksum: string;
}

/** The things in a lab that must survive an eviction, beside build cache that need not. */
export interface ProtectedScene {
  readonly lab: SceneLab;
  readonly things: readonly ProtectedThing[];
}

/** What a scene needs of a lab. */
type SceneLab = Pick<
  LabContents,
  | "importImage"
  | "runContainer"
  | "createStopped"
  | "createVolume"
  | "fillBuildCache"
  | "imageChecksum"
  | "containerChecksum"
  | "volumeChecksum"
>;

/**
 * Makes an image used by a running container, one used by a stopped container, one with the keep label, a named
 * volume with content (about 8 MiB each), and build cache of `cacheBytes` (32 MiB by default).
 */
export async function createProtectedScene(
  lab: SceneLab,
  { keepLabel = "continuum.keep=true", cacheBytes = 32 * MIB, bytes = 8 * MIB } = {},
): Promise<ProtectedScene> {
  const [key = "", value = ""] = keepLabel.split(/=(.*)/s);
  await lab.importImage({ name: "scene/running:1", bytes, runnable: true });
  await lab.runContainer({ image: "scene/running:1", name: "scene-running" });
  await lab.importImage({ name: "scene/stopped:1", bytes, runnable: true });
  await lab.createStopped({ image: "scene/stopped:1", name: "scene-stopped" });
  await lab.importImage({ name: "scene/kept:1", bytes, labels: { [key]: value } });
  await lab.createVolume({ name: "scene-volume", bytes });
  if (cacheBytes > 0) await lab.fillBuildCache({ bytes: cacheBytes });
  const wanted: Omit<ProtectedThing, "checksum">[] = [
    { kind: "image", name: "scene/running:1", reason: "a running container uses it" },
    { kind: "container", name: "scene-running", reason: "it runs" },
    { kind: "image", name: "scene/stopped:1", reason: "a stopped container uses it" },
    { kind: "container", name: "scene-stopped", reason: "its writable layer can't be had again" },
    { kind: "image", name: "scene/kept:1", reason: `it has the label ${keepLabel}` },
    { kind: "volume", name: "scene-volume", reason: "it is a named volume" },
  ];
  const things: ProtectedThing[] = [];
  for (const thing of wanted) things.push({ ...thing, checksum: await checksum(lab, thing) });
  return { lab, things };
}

/** What is missing or changed since the scene was made, one line each; empty when all is there, byte for byte. */
export async function verifyScene(scene: ProtectedScene): Promise<string[]> {
  const problems: string[] = [];
  for (const thing of scene.things) {
    const label = `${thing.kind} ${thing.name} (${thing.reason})`;
    try {
      if ((await checksum(scene.lab, thing)) !== thing.checksum) problems.push(`${label} has changed`);
    } catch (error) {
      problems.push(`${label} is missing: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return problems;
}

function checksum(lab: SceneLab, thing: Pick<ProtectedThing, "kind" | "name">): Promise<string> {
  switch (thing.kind) {
    case "image":
      return lab.imageChecksum(thing.name);
    case "container":
      return lab.containerChecksum(thing.name);
    case "volume":
      return lab.volumeChecksum(thing.name);
  }
}
