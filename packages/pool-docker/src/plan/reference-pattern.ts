/**
 * Whether a text matches a pattern in which `*` stands for any text and `?` for one character. Takes time proportional
 * to the product of their lengths at most, whatever the pattern.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resumeAt = 0;
  while (t < text.length) {
    if (p < pattern.length && (pattern[p] === "?" || (pattern[p] === text[t] && pattern[p] !== "*"))) {
      p++;
      t++;
    } else if (pattern[p] === "*") {
      star = p++;
      resumeAt = t;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resumeAt;
    } else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** The repository of `repository:tag` or `repository@digest`. */
export function repositoryOf(reference: string): string {
  const at = reference.indexOf("@");
  const named = at >= 0 ? reference.slice(0, at) : reference;
  const colon = named.lastIndexOf(":");
  return colon > named.lastIndexOf("/") ? named.slice(0, colon) : named;
}

/** A reference without what may be left out of it: the default registry and its library. */
export function familiarName(reference: string): string {
  if (!reference.startsWith("docker.io/")) return reference;
  const named = reference.slice("docker.io/".length);
  return named.startsWith("library/") ? named.slice("library/".length) : named;
}

/** The first pattern that a reference matches, as a whole or by its repository; null when none does. */
export function matchingPattern(patterns: readonly string[], references: readonly string[]): string | null {
  for (const pattern of patterns) {
    for (const reference of references) {
      if (matchesPattern(pattern, reference) || matchesPattern(pattern, repositoryOf(reference)))
        return pattern;
    }
  }
  return null;
}
