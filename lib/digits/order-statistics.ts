/** Quantiles without sorting: Hoare's selection, which leaves all but the wanted place in disorder. */

/** The value below which `share` (0 to 1) of the values lie; 0 of none. */
export function quantile(values: Float32Array, share: number): number {
  if (values.length === 0) return 0;
  return select(values.slice(), Math.round(share * (values.length - 1)));
}

/** As many values tell a median well enough. */
const MEDIAN_SAMPLE = 1024;

/** The middle value (or its middle size, signs apart), of evenly chosen ones where there are many. */
export function median(values: Float32Array, { absolute = false } = {}): number {
  const step = Math.max(1, Math.ceil(values.length / MEDIAN_SAMPLE));
  const few = new Float32Array(Math.floor(values.length / step));
  for (let at = 0; at < few.length; at++) {
    const value = values[at * step] as number;
    few[at] = absolute ? Math.abs(value) : value;
  }
  return few.length === 0 ? 0 : select(few, Math.round(0.5 * (few.length - 1)));
}

/** What would stand at `place` if `values` were sorted; moves them about. */
function select(values: Float32Array, place: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >> 1] as number;
    let [left, right] = [low, high];
    while (left <= right) {
      while ((values[left] as number) < pivot) left++;
      while ((values[right] as number) > pivot) right--;
      if (left > right) break;
      const held = values[left] as number;
      values[left++] = values[right] as number;
      values[right--] = held;
    }
    if (place <= right) high = right;
    else if (place >= left) low = left;
    else break;
  }
  return values[place] as number;
}
