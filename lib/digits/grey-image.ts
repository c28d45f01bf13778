/** Grey pictures and what is done to them: measuring, scaling, moving. Pure functions, values from 0 to 1. */
/** A grey picture. */
export interface GreyImage {
  readonly width: number;
  readonly height: number;
  /** `[height, width]`, row-major, 0 (black) to 1 (white). */
  readonly values: Float32Array;
}

/** Width and height in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A part of a picture. */
export interface Box extends Size {
  readonly left: number;
  readonly top: number;
}

/** The picture with `change` applied to each value. */
export function mapValues(image: GreyImage, change: (value: number) => number): GreyImage {
  return { ...image, values: image.values.map(change) };
}

/** The values of the outermost pixels. */
export function borderValues({ width, height, values }: GreyImage): Float32Array {
  return values.filter((_, at) => {
    const x = at % width;
    const y = (at - x) / width;
    return x === 0 || y === 0 || x === width - 1 || y === height - 1;
  });
}

/** The largest of the values, and 0. */
export function largest(values: Float32Array): number {
  let most = 0;
  for (let at = 0; at < values.length; at++) most = Math.max(most, values[at] as number);
  return most;
}

/** Mean of the values; 0 for none. */
export function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** The smallest box that holds every value of at least `threshold`; undefined where there is none. */
export function boundingBox({ width, height, values }: GreyImage, threshold: number): Box | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let at = 0; at < values.length; at++) {
    if ((values[at] as number) < threshold) continue;
    const x = at % width;
    const y = (at - x) / width;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** The part of the picture inside `box`, which must lie inside the picture. */
export function crop(image: GreyImage, { left, top, width, height }: Box): GreyImage {
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (top + y) * image.width + left;
    values.set(image.values.subarray(from, from + width), y * width);
  }
  return { width, height, values };
}

/** Centre of mass in pixels, (0, 0) being the middle of the first pixel; the middle of the picture where it is black. */
export function centreOfMass({ width, height, values }: GreyImage): readonly [x: number, y: number] {
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    const x = at % width;
    mass += value;
    sumX += value * x;
    sumY += (value * (at - x)) / width;
  }
  return mass > 0 ? [sumX / mass, sumY / mass] : [(width - 1) / 2, (height - 1) / 2];
}

/** A black picture of `size` with `image` laid on it at (left, top); what reaches over the edge is cut off. */
export function placeOn(size: Size, image: GreyImage, { left, top }: Pick<Box, 'left' | 'top'>): GreyImage {
  const values = new Float32Array(size.width * size.height);
  for (let y = Math.max(0, -top); y < Math.min(image.height, size.height - top); y++) {
    for (let x = Math.max(0, -left); x < Math.min(image.width, size.width - left); x++) {
      values[(top + y) * size.width + left + x] = image.values[y * image.width + x] as number;
    }
  }
  return { ...size, values };
}

/** Scales to `size` with a triangle filter as wide as the step, so that shrinking averages and nothing is skipped. */
export function resample(image: GreyImage, size: Size): GreyImage {
  if (image.width === size.width && image.height === size.height) return image;
  const alongX = filterTaps(image.width, size.width);
  const alongY = filterTaps(image.height, size.height);
  const rows = new Float32Array(image.height * size.width);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < size.width; x++) {
      const { first, weights } = alongX[x] as Taps;
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap++) {
        sum += (weights[tap] as number) * (image.values[y * image.width + first + tap] as number);
      }
      rows[y * size.width + x] = sum;
    }
  }
  const values = new Float32Array(size.height * size.width);
  for (let y = 0; y < size.height; y++) {
    const { first, weights } = alongY[y] as Taps;
    for (let x = 0; x < size.width; x++) {
      let sum = 0;
      for (let tap = 0; tap < weights.length; tap++) {
        sum += (weights[tap] as number) * (rows[(first + tap) * size.width + x] as number);
      }
      values[y * size.width + x] = sum;
    }
  }
  return { ...size, values };
}

/** The mean of the (2·radius + 1)² pixels around each; what lies outside counts as black. */
export function boxBlur({ width, height, values }: GreyImage, radius: number): GreyImage {
  const size = 2 * radius + 1;
  const rows = new Float32Array(values.length);
  for (let y = 0; y < height; y++) {
    let sum = 0;
    for (let x = -radius; x < width; x++) {
      if (x + radius < width) sum += values[y * width + x + radius] as number;
      if (x - radius - 1 >= 0) sum -= values[y * width + x - radius - 1] as number;
      if (x >= 0) rows[y * width + x] = sum / size;
    }
  }
  const blurred = new Float32Array(values.length);
  const sums = new Float64Array(width);
  for (let y = -radius; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = sums[x] as number;
      if (y + radius < height) sum += rows[(y + radius) * width + x] as number;
      if (y - radius - 1 >= 0) sum -= rows[(y - radius - 1) * width + x] as number;
      sums[x] = sum;
      if (y >= 0) blurred[y * width + x] = sum / size;
    }
  }
  return { width, height, values: blurred };
}

/** The largest value within `radius` pixels of each, in a square. */
export function widen({ width, height, values }: GreyImage, radius: number): GreyImage {
  const rows = new Float32Array(values.length);
  const widened = new Float32Array(values.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let most = 0;
      for (let from = Math.max(0, x - radius); from <= Math.min(width - 1, x + radius); from++)
        most = Math.max(most, values[y * width + from] as number);
      rows[y * width + x] = most;
    }
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let most = 0;
      for (let from = Math.max(0, y - radius); from <= Math.min(height - 1, y + radius); from++)
        most = Math.max(most, rows[from * width + x] as number);
      widened[y * width + x] = most;
    }
  }
  return { width, height, values: widened };
}

/** Which inputs make one output, from `first` on, and how much each counts; the weights sum to 1. */
interface Taps {
  readonly first: number;
  readonly weights: readonly number[];
}

function filterTaps(from: number, to: number): readonly Taps[] {
  const scale = from / to;
  const support = Math.max(1, scale);
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale - 0.5;
    const first = Math.max(0, Math.ceil(centre - support));
    const last = Math.min(from - 1, Math.floor(centre + support));
    const raw = Array.from({ length: last - first + 1 }, (_unused, tap) =>
      Math.max(0, 1 - Math.abs(first + tap - centre) / support),
    );
    const sum = raw.reduce((total, weight) => total + weight, 0);
    return { first, weights: raw.map((weight) => weight / sum) };
  });
}

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

/**
 * What would stand at `place` if `values` were sorted (Hoare's FIND, 1961); moves them about. d3-array's quickselect calls a
 * comparator for each pair: preparing an upload took nearly twice as long with it.
 */
function select(values: Float32Array, place: number): number {
  for (let [first, last] = [0, values.length - 1]; first < last; ) {
    const pivot = values[(first + last) >> 1] as number;
    let [low, high] = [first, last];
    while (low <= high) {
      while ((values[low] as number) < pivot) low++;
      while ((values[high] as number) > pivot) high--;
      if (low > high) break;
      const moved = values[low] as number;
      values[low++] = values[high] as number;
      values[high--] = moved;
    }
    if (place <= high) last = high;
    else if (place >= low) first = low;
    else break;
  }
  return values[place] as number;
}
