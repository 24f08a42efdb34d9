import { type DockerLab, dockerLabUnavailable, startDockerLab } from "@continuum/tools/docker-lab";
import { afterAll, beforeAll, describe } from "vitest";

const unavailable = await dockerLabUnavailable();
const mustRun = process.env["CI"] === "true";

/**
 * A suite that needs a real Docker Engine on a small filesystem of its own. Where none can run it says why and its
 * tests count as skipped; in CI the engine is part of the test bed, so there it fails instead.
 */
export function describeWithLab(
  name: string,
  options: { sizeBytes?: number; registry?: boolean },
  body: (lab: () => DockerLab) => void,
): void {
  const skip = unavailable !== null && !mustRun;
  if (skip) console.warn(`skipped, no Docker lab here: ${name}: ${unavailable}`);
  describe.skipIf(skip)(name, () => {
    let lab: DockerLab | undefined;
    beforeAll(async () => {
      if (unavailable !== null) throw new Error(`no Docker lab here, and CI must have one: ${unavailable}`);
      lab = await startDockerLab(options);
    }, 120_000);
    afterAll(() => lab?.stop(), 60_000);
    body(() => {
      if (lab === undefined) throw new Error("the lab isn't up");
      return lab;
    });
  });
}
