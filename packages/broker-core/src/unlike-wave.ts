/** A wave that moves a pool by this share of its capacity, up and down again, is to be told from a fill. */
const WAVE = 0.2;
/** By so many standard errors. */
const ERRORS = 3;
/** A sine strays from its line by this share of its rise, root mean square, times the square of half the angle that is seen. */
const STRAYS = 0.0126;

/**
 * Whether a rise so high, had it been that of a wave, would have strayed from its line by more than `variance` hides: that
 * of the mean of its readings. The straightest part is meant, that about the middle.
 */
export function isUnlikeWave(rise: number, variance: number): boolean {
  // The wave's amplitude is half of what it moves, and the angle from the middle half of what is seen.
  const angle = rise / WAVE;
  return STRAYS * angle ** 2 * rise >= ERRORS * Math.sqrt(variance);
}
