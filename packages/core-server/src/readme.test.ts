import { execFile } from "node:child_process";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { SETTINGS } from "./config/settings.js";
import { tempDirectory } from "./testing/temp-directory.js";

const packageDirectory = dirname(dirname(fileURLToPath(import.meta.url)));

it("the README's example runs as it stands", { timeout: 30_000 }, async () => {
  const readme = await readFile(join(packageDirectory, "README.md"), "utf8");
  const example = /```ts\n([\s\S]*?)```/u.exec(readme)?.[1] ?? "";
  await using project = await tempDirectory();
  const scope = join(project.path, "node_modules/@continuum");
  await mkdir(scope, { recursive: true });
  await symlink(packageDirectory, join(scope, "core-server"));
  await writeFile(join(project.path, "package.json"), '{"type":"module"}');
  await writeFile(join(project.path, "example.ts"), example);
  const tsx = import.meta.resolve("tsx");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@continuum/source", "--import", tsx, join(project.path, "example.ts")],
    {
      cwd: project.path,
      env: {
        PATH: process.env["PATH"],
        CONTINUUM_HOME: project.path,
        DOCKER_HOST: "unix:///nonexistent/docker.sock",
      },
    },
  );
  expect(stdout).toMatch(/success: true/u);
  expect(stdout).toMatch(/detected: false/u);
});

it.each(Object.values(SETTINGS).map(({ flag, variable }) => [flag, variable] as const))(
  "%s stands in the READMEs, and %s in the table of settings",
  async (flag, variable) => {
    const own = await readFile(join(packageDirectory, "README.md"), "utf8");
    expect(own).toContain(`[${flag}`);
    const root = await readFile(join(packageDirectory, "../../README.md"), "utf8");
    expect(root).toMatch(new RegExp(`^\\| \`${flag}\` +\\| \`${variable}\``, "mu"));
  },
);
