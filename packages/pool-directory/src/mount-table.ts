/** A mounted filesystem, as far as a cache needs to know it. */
export interface Mount {
  readonly path: string;
  /** Whether reading a file updates its access time: `relative` about once a day, `off` never. */
  readonly accessTimes: "strict" | "relative" | "off";
}

/** The mounts of Linux's `/proc/self/mountinfo`, in its order; lines of another shape are left out. */
export function parseMountInfo(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line) => {
    const [, , , , path, options] = line.split(" ");
    if (path === undefined || options === undefined) return [];
    return [{ path: unescapeOctal(path), accessTimes: toAccessTimes(options.split(",")) }];
  });
}

/** The mount that holds an absolute path: the deepest, and of two on one point the later; null when none does. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | null {
  let found: Mount | null = null;
  for (const mount of mounts) {
    if (!isWithin(path, mount.path)) continue;
    if (found === null || mount.path.length >= found.path.length) found = mount;
  }
  return found;
}

/** The mounts at or below an absolute path. */
export function mountsWithin(mounts: readonly Mount[], path: string): readonly Mount[] {
  return mounts.filter((mount) => isWithin(mount.path, path));
}

function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(parent === "/" ? "/" : `${parent}/`);
}

function toAccessTimes(options: readonly string[]): Mount["accessTimes"] {
  if (options.includes("noatime") || options.includes("ro")) return "off";
  return options.includes("relatime") ? "relative" : "strict";
}

/** Blanks and backslashes stand as octal numbers there. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/gu, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
