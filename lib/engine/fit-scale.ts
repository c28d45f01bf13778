/** Makes examples of one scale into what a model of another one takes. */
import { type Examples, imageShape } from '../federation/examples.js';
import {
  describeScale,
  findScale,
  formatScale,
  inputScale,
  isNear,
  MAX_PIXEL,
  type PixelScale,
  rescale,
  scaleOf,
  UNIT_SCALE,
} from '../federation/pixel-scale.js';

/** The scale of a model that is to be trained on these examples alone, as its file says it; undefined where 0 to 1. */
export function foundScale(examples: Examples): string | undefined {
  const finding = findScale(examples);
  if (finding.kind !== 'found') return undefined;
  return formatScale(inputScale(finding.scale, examples.images instanceof Uint8Array));
}

/** A model file and a file of examples. */
export interface ScaleFit {
  /** What the file of the model says. */
  readonly scale: string | undefined;
  /** Path of the examples. */
  readonly path: string;
  /** What the manifest says of the examples, as a model is given them: their scale, or nothing that was unusual. */
  readonly known: PixelScale | 'usual' | undefined;
  readonly tell: (note: string) => void;
}

/**
 * The examples as the model takes them: converted, with a note, where their scale is another than the model's. A model
 * that says nothing of its scale gets them as they are.
 */
export function fitScale(examples: Examples, { scale, path, known, tell }: ScaleFit): Examples {
  const isUint8 = examples.images instanceof Uint8Array;
  if (scale === undefined && known !== undefined) return examples;
  const from = known === undefined || known === 'usual' ? scaleFound(examples, isUint8) : known;
  if (from === undefined) return examples;
  if (scale === undefined) {
    if (isNear(UNIT_SCALE, from)) return examples;
    tell(
      `${path}: pixels ${describeScale(from)}; the model says nothing of its scale, so they are taken as they are`,
    );
    return examples;
  }
  const to = scaleOf(scale);
  if (isNear(to, from)) return examples;
  tell(`${path}: pixels ${describeScale(from)}, converted to those of the model, ${describeScale(to)}`);
  const images = Float32Array.from(examples.images, (value) => (isUint8 ? value / MAX_PIXEL : value));
  rescale(images, { channels: imageShape(examples)[2], from, to });
  return { ...examples, images };
}

function scaleFound(examples: Examples, isUint8: boolean): PixelScale | undefined {
  const finding = findScale(examples);
  if (finding.kind === 'unknown') return undefined;
  return finding.kind === 'usual' ? UNIT_SCALE : inputScale(finding.scale, isUint8);
}
