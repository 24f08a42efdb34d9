/**
 * The number of insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`
 * (optimal string alignment, so that "teir" is one typo away from "tier", not two).
 */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}

/** The one of `names` that was probably meant, or null when none is near (more than a third of it differs). */
export function nearestName(typed: string, names: readonly string[]): string | null {
  let nearest: string | null = null;
  let smallest = Infinity;
  for (const name of names) {
    const tolerance = Math.max(2, Math.floor(name.length / 3));
    // A length that differs by more can't be near: keeps a hostile megabyte of a name free of cost.
    if (Math.abs(name.length - typed.length) > tolerance) continue;
    const distance = editDistance(typed, name);
    if (distance <= tolerance && distance < smallest) {
      smallest = distance;
      nearest = name;
    }
  }
  return nearest;
}
