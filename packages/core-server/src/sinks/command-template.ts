const PLACEHOLDER = "{text}";
const MAX_LENGTH = 4_096;
const MAX_WORDS = 64;

/**
 * The words of a command such as `airc publish --room 'my room' --body-text {text}`; null when it can't be used.
 *
 * Words are separated by spaces. `'...'` is taken as it stands; within `"..."` and outside of quotes a backslash takes
 * the next character as it stands. Nothing is expanded: no variable, no pattern, no `~`. `{text}` must stand in one
 * argument at least, and not in the program's name.
 */
export function parseCommandTemplate(source: string): readonly string[] | null {
  if (source.length > MAX_LENGTH || /[\0\n\r]/u.test(source)) return null;
  const words = splitWords(source);
  if (words === null || words.length < 2 || words.length > MAX_WORDS) return null;
  const [program = "", ...args] = words;
  const isUsable = program !== "" && !program.includes(PLACEHOLDER);
  return isUsable && args.some((each) => each.includes(PLACEHOLDER)) ? words : null;
}

/** The arguments for a text: it stays within its argument, whatever is in it. */
export function fillCommand(template: readonly string[], text: string): readonly string[] {
  return template.map((word) => word.replaceAll(PLACEHOLDER, () => text));
}

function splitWords(source: string): readonly string[] | null {
  const words: string[] = [];
  let word: string | null = null;
  let quote: '"' | "'" | null = null;
  for (let i = 0; i < source.length; i += 1) {
    const char = source.charAt(i);
    if (char === "\\" && quote !== "'") {
      i += 1;
      if (i >= source.length) return null;
      word = (word ?? "") + source.charAt(i);
    } else if (quote !== null) {
      if (char === quote) quote = null;
      else word = (word ?? "") + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      // "" is a word too.
      word ??= "";
    } else if (char === " " || char === "\t") {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? "") + char;
  }
  if (quote !== null) return null;
  return word === null ? words : [...words, word];
}
