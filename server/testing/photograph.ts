/** Puts digits of 28 × 28 through what happens to them outside a dataset: paper, light, lens, compression. */
import sharp from 'sharp';
import type { RandomStream } from '../../lib/core/random.js';
import { enlarge, type Writing } from './enlarge.js';

/** What is done to a digit; what is not named is left as it is. Ranges are drawn from evenly. */
export interface Condition {
  /** Sides of the picture in pixels; without it the writing's own box is the picture. */
  readonly canvas?: Range;
  /** Size of the writing's box (28 × 28 of a digit) as a share of the largest that fits. */
  readonly size?: Range;
  /** Dark ink on bright paper; bright ink on black otherwise. */
  readonly inverted?: true;
  /** Ink and paper of any colour, far enough apart to be read. */
  readonly coloured?: true;
  /** Turned by up to so many degrees either way. */
  readonly turned?: number;
  /** Light falls from one side and a soft shadow lies across: at most this share of the light is missing. */
  readonly shaded?: Range;
  /** Standard deviation of each pixel's noise, of 1. */
  readonly noise?: Range;
  /** JPEG of this quality; PNG otherwise. */
  readonly jpeg?: Range;
  /** Stored lying on its side or upside down, with the EXIF orientation that turns it upright. */
  readonly exif?: true;
}

/** From, to. */
type Range = readonly [number, number];

const CANVAS: Range = [300, 2000];
const SIZE: Range = [0.35, 0.95];
const PAPER = { canvas: CANVAS, size: SIZE, inverted: true } as const;

/** The conditions that docs/BENCHMARKS.md reports, by what one would call them. */
export const CONDITIONS: Readonly<Record<string, Condition>> = {
  'as in MNIST': {},
  inverted: { inverted: true },
  'white on black, 300–2000 px, off-centre': { canvas: CANVAS, size: SIZE },
  'black on white, 300–2000 px, off-centre': PAPER,
  'JPEG 40–90': { ...PAPER, jpeg: [40, 90] },
  'turned by up to 15°': { ...PAPER, turned: 15 },
  shading: { ...PAPER, shaded: [0.2, 0.6] },
  noise: { ...PAPER, noise: [0.02, 0.1] },
  'coloured ink on coloured paper': { ...PAPER, coloured: true },
  'lying on its side, upright by EXIF': { ...PAPER, exif: true, jpeg: [80, 90] },
  'all of these together': {
    ...PAPER,
    coloured: true,
    turned: 15,
    shaded: [0.2, 0.5],
    noise: [0.01, 0.06],
    jpeg: [40, 90],
    exif: true,
  },
};

/** Luma of ink and of paper differ by at least this much of 1, and where they are coloured by at most about 0.9. */
const LEAST_CONTRAST = 0.3;
/** EXIF orientation, and the turn (degrees) of the stored picture that it makes good. */
const ORIENTATIONS = [
  [1, 0],
  [3, 180],
  [6, 270],
  [8, 90],
] as const;

/**
 * The file of a picture of some writing under a condition. The same stream gives the same picture; its bytes are those
 * of this version of sharp.
 */
export async function photograph(
  writing: Writing,
  condition: Condition,
  random: RandomStream,
): Promise<Buffer> {
  const between = ([from, to]: Range) => from + (to - from) * random.uniform();
  const [width, height] = condition.canvas
    ? [Math.round(between(condition.canvas)), Math.round(between(condition.canvas))]
    : [writing.width, writing.height];
  const fit = Math.min(width / writing.width, height / writing.height);
  const scale = condition.canvas ? fit * between(condition.size ?? [1, 1]) : 1;
  const { ink, paper } = chooseColours(condition, random);
  const cover = enlarge(writing, {
    width,
    height,
    scale,
    left: (width - writing.width * scale) * random.uniform(),
    top: (height - writing.height * scale) * random.uniform(),
    degrees: condition.turned === undefined ? 0 : between([-condition.turned, condition.turned]),
  });
  const light = condition.shaded && shadow(between(condition.shaded), random);
  const grain = condition.noise === undefined ? 0 : between(condition.noise);
  const pixels = Buffer.alloc(width * height * 3);
  for (let at = 0; at < cover.length; at++) {
    const x = at % width;
    const bright = light ? light(x / width, (at - x) / width / height) : 1;
    const share = cover[at] as number;
    for (let channel = 0; channel < 3; channel++) {
      const [from, to] = [paper[channel] as number, ink[channel] as number];
      const value = (from + (to - from) * share) * bright + (grain > 0 ? grain * roughly(random) : 0);
      pixels[at * 3 + channel] = Math.max(0, Math.min(255, Math.round(value * 255)));
    }
  }
  return encode(pixels, { width, height, condition, random });
}

type Colour = readonly [number, number, number];

function chooseColours({ inverted, coloured }: Condition, random: RandomStream) {
  const [black, white]: readonly [Colour, Colour] = [
    [0, 0, 0],
    [1, 1, 1],
  ];
  if (!coloured) return inverted ? { ink: black, paper: white } : { ink: white, paper: black };
  for (;;) {
    const [dark, bright] = [colour(0, 0.65, random), colour(0.55, 1, random)];
    if (luma(bright) - luma(dark) >= LEAST_CONTRAST)
      return inverted ? { ink: dark, paper: bright } : { ink: bright, paper: dark };
  }
}

function colour(from: number, to: number, random: RandomStream): Colour {
  const level = () => from + (to - from) * random.uniform();
  return [level(), level(), level()];
}

const luma = ([red, green, blue]: Colour) => 0.299 * red + 0.587 * green + 0.114 * blue;

/** Light from one side, and across it the soft edge of a shadow: brightness at (x, y), both 0 to 1. */
function shadow(depth: number, random: RandomStream): (x: number, y: number) => number {
  const [slope, edge] = [random.uniform() * 2 * Math.PI, random.uniform() * 2 * Math.PI];
  const [offset, softness] = [0.6 * (random.uniform() - 0.5), 0.08 + 0.2 * random.uniform()];
  return (x, y) => {
    const along = (angle: number) => (x - 0.5) * Math.cos(angle) + (y - 0.5) * Math.sin(angle);
    const fall = Math.max(0, Math.min(1, 0.5 + along(slope) / 1.4));
    const inShadow = 1 / (1 + Math.exp((along(edge) - offset) / (softness / 4)));
    return 1 - depth * (0.6 * fall + 0.4 * inShadow);
  };
}

/** Nearly normal: the sum of four even numbers; eight times as fast, and the grain of a sensor is no truer. */
function roughly(random: RandomStream): number {
  const bits = random.uint32();
  const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
  return (sum - 510) / 147.8;
}

interface Encoding {
  readonly width: number;
  readonly height: number;
  readonly condition: Condition;
  readonly random: RandomStream;
}

async function encode(pixels: Buffer, { width, height, condition, random }: Encoding): Promise<Buffer> {
  const upright = sharp(pixels, { raw: { width, height, channels: 3 } });
  const [orientation, degrees] = condition.exif
    ? (ORIENTATIONS[random.integer(0, ORIENTATIONS.length - 1)] ?? ORIENTATIONS[0])
    : ORIENTATIONS[0];
  const stored = degrees === 0 ? upright : upright.rotate(degrees).withMetadata({ orientation });
  if (condition.jpeg === undefined) return stored.png({ compressionLevel: 1 }).toBuffer();
  const [from, to] = condition.jpeg;
  return stored.jpeg({ quality: random.integer(from, to) }).toBuffer();
}
