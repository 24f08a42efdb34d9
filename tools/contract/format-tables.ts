import type { ContractChange } from "./classify-changes.js";
import type { TypeComparison } from "./compare-shapes.js";

/** Rows with aligned columns; the first is the head. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The comparison with a Rust core's export, a row per type, and one per difference. */
export function formatComparison(comparisons: readonly TypeComparison[]): string {
  const rows = comparisons.flatMap((comparison): string[][] => {
    switch (comparison.verdict) {
      case "identical":
        return [[comparison.name, "identical", "", "", ""]];
      case "explained":
        return [[comparison.name, "explained", "", comparison.why.join(", "), ""]];
      case "onlyHere":
        return [[comparison.name, "only here", "", "", ""]];
      case "onlyThere":
        return [[comparison.name, "only there", "", "", ""]];
      case "different":
        return comparison.differences.map(({ path, ours, theirs }) => [
          comparison.name,
          "different",
          path || "(the type)",
          ours,
          theirs,
        ]);
    }
  });
  return formatTable([["type", "verdict", "where", "here", "there"], ...rows]);
}

/** The changes since the lock, a row each. */
export function formatChanges(changes: readonly ContractChange[]): string {
  const rows = changes.map(({ severity, rule, where, before, after }) => [
    severity,
    rule,
    where,
    before,
    after,
  ]);
  return formatTable([["severity", "rule", "where", "before", "after"], ...rows]);
}
