/** Examples of several tensors in rows: for each example the numbers of all tensors, one after the other. */

/** Where the numbers of one tensor stand in each of `count` rows. */
interface Columns {
  /** Where they begin. */
  readonly from: number;
  readonly size: number;
  readonly count: number;
}

/** The numbers of one tensor, `[count, size]`; nothing is copied where the rows have no others. */
export function columnsAt(rows: Float32Array, { from, size, count }: Columns): Float32Array {
  const row = rows.length / count;
  if (size === row) return rows;
  const own = new Float32Array(count * size);
  for (let at = 0; at < count; at++)
    own.set(rows.subarray(at * row + from, at * row + from + size), at * size);
  return own;
}

/** The tensors of rows, each of so many numbers an example as `sizes` says. */
export function splitRows(rows: Float32Array, sizes: readonly number[]): readonly Float32Array[] {
  const count = rows.length / sizes.reduce((sum, size) => sum + size, 0);
  let from = 0;
  return sizes.map((size) => {
    const own = columnsAt(rows, { from, size, count });
    from += size;
    return own;
  });
}

/** The rows of tensors of `count` examples each; nothing is copied of a tensor alone. */
export function joinRows(tensors: readonly Float32Array[], count: number): Float32Array {
  const [only] = tensors;
  if (only !== undefined && tensors.length === 1) return only;
  const row = tensors.reduce((sum, { length }) => sum + length / count, 0);
  const rows = new Float32Array(count * row);
  let from = 0;
  for (const values of tensors) {
    const size = values.length / count;
    for (let at = 0; at < count; at++) rows.set(values.subarray(at * size, (at + 1) * size), at * row + from);
    from += size;
  }
  return rows;
}
