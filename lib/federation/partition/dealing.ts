/** What several partition schemes share: dealing like cards, cutting into parts, sorting by label. */

/** The numbers 0 … count-1. */
export function identity(count: number): Uint32Array {
  const indices = new Uint32Array(count);
  for (let index = 0; index < count; index++) indices[index] = index;
  return indices;
}

/** Deals like cards, so that hands differ by one at most. */
export function deal(order: Uint32Array, clients: number): readonly Uint32Array[] {
  return Array.from({ length: clients }, (_, client) => {
    const hand = new Uint32Array(Math.ceil((order.length - client) / clients));
    for (let at = 0; at < hand.length; at++) hand[at] = order[client + at * clients] as number;
    return hand;
  });
}

/** Cuts `order` into `parts` runs whose lengths differ by one at most. */
export function cutEvenly(order: Uint32Array, parts: number): readonly Uint32Array[] {
  const start = (part: number) => Math.floor((part * order.length) / parts);
  return Array.from({ length: parts }, (_, part) => order.subarray(start(part), start(part + 1)));
}

/** Cuts `order` into runs of `sizes`, which sum to its length. */
export function cutBySizes(order: Uint32Array, sizes: Iterable<number>): readonly Uint32Array[] {
  let start = 0;
  return Array.from(sizes, (size) => {
    start += size;
    return order.subarray(start - size, start);
  });
}

/** The shares, summing to 1, of numbers that are given by their logarithms: they may be too small or large for a double. */
export function sharesOfLogs(logs: Float64Array): Float64Array {
  const largest = logs.reduce((max, each) => Math.max(max, each), -Infinity);
  const sizes = logs.map((each) => Math.exp(each - largest));
  const sum = sizes.reduce((total, each) => total + each, 0);
  return sizes.map((each) => each / sum);
}

/** Whole numbers in the proportion of `shares` (which sum to 1) that sum to `total`; of a share of 0 they are 0. */
export function wholeParts(shares: Float64Array, total: number): Uint32Array {
  // Shares that sum to a hair less than 1 must not lose the last example.
  const last = shares.findLastIndex((share) => share > 0);
  const sizes = new Uint32Array(shares.length);
  let cumulated = 0;
  let start = 0;
  for (let part = 0; part <= last; part++) {
    cumulated += shares[part] as number;
    const end = part === last ? total : Math.min(total, Math.floor(cumulated * total));
    sizes[part] = end - start;
    start = end;
  }
  return sizes;
}

/** One array of the indices of all `pieces`. */
export function join(pieces: readonly Uint32Array[]): Uint32Array {
  const whole = new Uint32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** The examples of each label that occurs, labels ascending, examples in the order of the file. */
export function groupByLabel(labels: ArrayLike<number>): readonly Uint32Array[] {
  const counts: number[] = [];
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index] as number;
    counts[label] = (counts[label] ?? 0) + 1;
  }
  const groups = Array.from(counts, (count = 0) => new Uint32Array(count));
  const filled = new Uint32Array(groups.length);
  for (let index = 0; index < labels.length; index++) {
    const label = labels[index] as number;
    const at = filled[label] as number;
    (groups[label] as Uint32Array)[at] = index;
    filled[label] = at + 1;
  }
  return groups.filter((group) => group.length > 0);
}
