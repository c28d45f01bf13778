/** From the colours of a picture to grey: its planes, what shines through them, and the grey that shows the ink best. */
import type { GreyImage } from './grey-image.js';

/** An image of 8-bit RGBA, not premultiplied. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** `[height, width, 4]`, row-major. */
  readonly values: Uint8Array;
}

/** Red, green and blue. */
export type Planes = readonly [red: GreyImage, green: GreyImage, blue: GreyImage];

/** Luma weights of ITU-R BT.601, as image libraries make grey of RGB. */
const LUMA = [0.299, 0.587, 0.114] as const;
/** One plane alone is used where it shows the ink so much better than all three together: it has more noise. */
const MUCH_BETTER = 1.35;
/** As many pixels tell how far ink and paper are apart. */
const SAMPLE_SIZE = 2048;

/**
 * Three colour planes of an image; what is transparent becomes white, or black behind bright drawings. A picture without
 * colour has one plane three times: the same object, so that nothing need be looked at thrice.
 */
export function flattenColours({ width, height, values }: RgbaImage): Planes {
  const { isGrey, isOpaque } = lookThrough(values);
  if (isGrey && isOpaque) {
    const grey = new Float32Array(width * height);
    for (let pixel = 0; pixel < grey.length; pixel++) grey[pixel] = (values[pixel * 4] as number) / 255;
    const plane = { width, height, values: grey };
    return [plane, plane, plane];
  }
  const background = isOpaque ? 0 : backgroundOf(values);
  const planes = [0, 1, 2].map((channel) => {
    const plane = new Float32Array(width * height);
    for (let pixel = 0; pixel < plane.length; pixel++) {
      const value = values[pixel * 4 + channel] as number;
      const alpha = values[pixel * 4 + 3] as number;
      plane[pixel] = alpha === 255 ? value / 255 : (alpha * value + (255 - alpha) * background) / 65_025;
    }
    return { width, height, values: plane };
  });
  return planes as unknown as Planes;
}

function lookThrough(values: Uint8Array): { readonly isGrey: boolean; readonly isOpaque: boolean } {
  let [isGrey, isOpaque] = [true, true];
  for (let at = 0; at < values.length && (isGrey || isOpaque); at += 4) {
    if (values[at] !== values[at + 1] || values[at] !== values[at + 2]) isGrey = false;
    if (values[at + 3] !== 255) isOpaque = false;
  }
  return { isGrey, isOpaque };
}

function backgroundOf(values: Uint8Array): number {
  let [opacity, visibleLight] = [0, 0];
  for (let at = 0; at < values.length; at += 4) {
    const alpha = values[at + 3] as number;
    opacity += alpha;
    visibleLight +=
      alpha *
      (LUMA[0] * (values[at] as number) +
        LUMA[1] * (values[at + 1] as number) +
        LUMA[2] * (values[at + 2] as number));
  }
  return opacity > 0 && visibleLight / opacity > 127.5 ? 0 : 255;
}

/** The luma, or the one plane in which the ink stands out much more: yellow ink is dark in blue alone. */
export function inkyGrey(planes: Planes): GreyImage {
  const [red, green, blue] = planes;
  if (red === green && green === blue) return red;
  const values = new Float32Array(red.values.length);
  for (let at = 0; at < values.length; at++) {
    values[at] =
      LUMA[0] * (red.values[at] as number) +
      LUMA[1] * (green.values[at] as number) +
      LUMA[2] * (blue.values[at] as number);
  }
  const luma: GreyImage = { ...red, values };
  let [best, reach] = [luma, MUCH_BETTER * contrast(luma)];
  for (const plane of planes) {
    const own = contrast(plane);
    if (own > reach) [best, reach] = [plane, own];
  }
  return best;
}

/** From the middle of the values to the further end of all but the outermost. */
function contrast({ values }: GreyImage): number {
  const step = Math.max(1, Math.floor(values.length / SAMPLE_SIZE));
  const few = Float32Array.from(
    { length: Math.floor(values.length / step) },
    (_, at) => values[at * step] as number,
  ).sort();
  const at = (share: number) => few[Math.round(share * (few.length - 1))] ?? 0;
  return Math.max(at(0.5) - at(0.005), at(0.995) - at(0.5));
}

/** Whether no plane has two values that differ by `least`. */
export function isEven(planes: Planes, least: number): boolean {
  return planes.every(({ values }) => {
    let [low, high] = [1, 0];
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    return high - low < least;
  });
}
