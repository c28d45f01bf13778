/** Brings one sign into the form of MNIST: cut out, scaled into a box, thin lines thickened, centred by its mass. */
import type { Sign } from './find-digits.js';
import type { FoundInk } from './find-ink.js';
import {
  type Box,
  boundingBox,
  centreOfMass,
  crop,
  type GreyImage,
  largest,
  mapValues,
  placeOn,
  resample,
  type Size,
  widen,
} from './grey-image.js';

/** A sign on its way into the form of the training data. */
interface FormedSign {
  /** Cut out, nothing but its own ink. */
  readonly cut: GreyImage;
  /** Scaled into the digit box. */
  readonly boxed: GreyImage;
  /** The model's input. */
  readonly centred: GreyImage;
}

/** MNIST scales a digit into 20 × 20 of its 28 × 28 pixels (LeCun et al. 1998). */
const DIGIT_SHARE = 20 / 28;
/** Ink of at least this strength decides where a sign begins and ends. */
const EDGE = 0.25;
/** Soft edges reach out of a stroke by this share of a sign's longer side. */
const SOFT_EDGE = 1 / 24;
/** Lines are as thick as a pen's in MNIST, which is this share of the digit box, or they fade when they are averaged. */
const LEAST_LINE = 1.8 / 20;

/** Brings a sign into the form of the training data. */
export function formSign(found: FoundInk, sign: Sign, size: Size): FormedSign {
  const cut = cutOut(found, sign);
  const boxed = fitIntoBox(thicken(cut), size);
  return { cut, boxed, centred: centreByMass(boxed, size) };
}

/** The sign's own ink with its soft edges; ink of its neighbours that reaches into its box is left out. */
function cutOut({ ink, labels }: FoundInk, sign: Sign): GreyImage {
  const margin = Math.max(1, Math.round(Math.max(sign.width, sign.height) * SOFT_EDGE));
  const box = grown(sign, margin, ink);
  const own = new Float32Array(box.width * box.height);
  for (let at = 0; at < own.length; at++) {
    const x = at % box.width;
    const y = (at - x) / box.width;
    const inside = box.left + x >= sign.left && box.left + x < sign.left + sign.width;
    const label = labels[(box.top + y) * ink.width + box.left + x] as number;
    own[at] = inside && sign.labels.has(label) ? 1 : 0;
  }
  const near = widen({ ...box, values: own }, margin).values;
  const cut = crop(ink, box);
  const values = cut.values.map((value, at) => value * (near[at] as number));
  const edge = boundingBox({ ...cut, values }, EDGE);
  return edge === undefined ? { ...cut, values } : crop({ ...cut, values }, edge);
}

function grown(box: Box, margin: number, { width, height }: Size): Box {
  const [left, top] = [Math.max(0, box.left - margin), Math.max(0, box.top - margin)];
  return {
    left,
    top,
    width: Math.min(width, box.left + box.width + margin) - left,
    height: Math.min(height, box.top + box.height + margin) - top,
  };
}

/** Widens the lines of a sign written with a fine pen. A line's width is twice its area by the length of its edges. */
function thicken(image: GreyImage): GreyImage {
  const { width, height, values } = image;
  const isInk = (x: number, y: number) =>
    x >= 0 && y >= 0 && x < width && y < height && (values[y * width + x] as number) >= 0.5;
  let [area, edges] = [0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!isInk(x, y)) continue;
      area++;
      for (const [nx, ny] of [
        [x - 1, y],
        [x + 1, y],
        [x, y - 1],
        [x, y + 1],
      ] as const)
        if (!isInk(nx, ny)) edges++;
    }
  }
  // Steps along a slanted edge count more than its length: by 4/π over all directions.
  const line = edges === 0 ? 0 : (2 * area) / (edges * (Math.PI / 4));
  const radius = Math.round((LEAST_LINE * Math.max(width, height) - line) / 2);
  if (area === 0 || radius < 1) return image;
  const size = { width: width + 2 * radius, height: height + 2 * radius };
  return widen(placeOn(size, image, { left: radius, top: radius }), radius);
}

function fitIntoBox(image: GreyImage, size: Size): GreyImage {
  const scale = Math.min(
    (size.width * DIGIT_SHARE) / image.width,
    (size.height * DIGIT_SHARE) / image.height,
  );
  const fitted = resample(image, {
    width: Math.max(1, Math.round(image.width * scale)),
    height: Math.max(1, Math.round(image.height * scale)),
  });
  // Lines lose strength when they are averaged into few pixels; the strongest ink is white again afterwards.
  const peak = largest(fitted.values);
  return peak > 0 ? mapValues(fitted, (value) => value / peak) : fitted;
}

/** MNIST's digits have their mass within half a pixel of the middle of pixel 14, on both axes. */
function centreByMass(image: GreyImage, size: Size): GreyImage {
  const [x, y] = centreOfMass(image);
  return placeOn(size, image, {
    left: insideBy(Math.round(size.width / 2 - x), size.width - image.width),
    top: insideBy(Math.round(size.height / 2 - y), size.height - image.height),
  });
}

/** Keeps an offset between 0 and the room there is, so that centring never cuts ink off. */
function insideBy(offset: number, room: number): number {
  return Math.max(0, Math.min(offset, room));
}
