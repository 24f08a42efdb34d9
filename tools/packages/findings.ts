/** What each check found in each package. */
export class Findings {
  readonly #cells = new Map<string, Map<string, string[]>>();

  /** Whether any check found anything. */
  get failed(): boolean {
    return [...this.#cells.values()].some((row) => [...row.values()].some((lines) => lines.length > 0));
  }

  /** Notes that a check ran; no lines, no fault. A second call of the same check adds to the first. */
  add(name: string, check: string, lines: readonly string[]): void {
    const row = this.#cells.get(name) ?? new Map<string, string[]>();
    row.set(check, [...(row.get(check) ?? []), ...lines]);
    this.#cells.set(name, row);
  }

  /** The findings, then a table of packages and checks; `-` where a check has nothing to look at. */
  format(names: readonly string[]): string[] {
    const checks = [...new Set([...this.#cells.values()].flatMap((row) => [...row.keys()]))];
    const details = [...this.#cells].flatMap(([name, row]) =>
      [...row].flatMap(([check, lines]) => lines.map((line) => `${name}, ${check}: ${line}`)),
    );
    const cell = (name: string, check: string): string => {
      const lines = this.#cells.get(name)?.get(check);
      return lines === undefined ? "-" : lines.length === 0 ? "ok" : "FAILED";
    };
    const rows = [
      ["package", ...checks],
      ...names.map((name) => [name, ...checks.map((c) => cell(name, c))]),
    ];
    const widths = ["package", ...checks].map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
    const table = rows.map((row) =>
      row
        .map((text, i) => text.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    );
    return details.length === 0 ? table : [...details, "", ...table];
  }
}
