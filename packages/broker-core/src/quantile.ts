/** The value below which this share of the values is; 0 of none. In linear time: a forecast asks often, of thousands. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const among = new Float64Array(values);
  const wanted = Math.min(among.length - 1, Math.floor(share * among.length));
  let [low, high] = [0, among.length - 1];
  // Hoare's selection: what is wanted stays between `low` and `high`.
  while (low < high) {
    const pivot = among[(low + high) >> 1] ?? 0;
    let i = low;
    let j = high;
    while (i <= j) {
      while ((among[i] ?? pivot) < pivot) i += 1;
      while ((among[j] ?? pivot) > pivot) j -= 1;
      if (i > j) break;
      const smaller = among[j] ?? 0;
      among[j] = among[i] ?? 0;
      among[i] = smaller;
      i += 1;
      j -= 1;
    }
    if (wanted <= j) high = j;
    else if (wanted >= i) low = i;
    else break;
  }
  return among[wanted] ?? 0;
}
