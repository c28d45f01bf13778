/** The worst mistakes of the accuracy test, with what the model was given, read out of the test examples. */

import type { AccuracyRecord } from '../lib/formats/accuracy-record.js';
import { picturedImage, readInputsOf } from '../lib/formats/data/example-pictures.js';
import { encodePng } from '../lib/formats/files/png.js';
import { featureNames } from '../lib/formats/keras/data-names.js';
import type { Manifest } from '../lib/formats/manifest.js';

/** A mistake as the test records it. */
type Mistake = NonNullable<AccuracyRecord['mistakes']>[number];

/** A mistake that can be looked at: as a picture, or as the numbers of some features. */
export type PicturedMistake = Mistake & {
  /** A PNG file in base64. */
  readonly png?: string | undefined;
  readonly features?: readonly (readonly [name: string, value: number])[] | undefined;
};

/** More features than these are no row that a person reads. */
const MOST_FEATURES = 12;

/** Reads the examples of the mistakes; where they are not at hand, or no pictures and no few numbers, the mistakes alone. */
export async function readMistakes(
  mistakes: readonly Mistake[],
  { manifest, test }: { readonly manifest: Manifest | undefined; readonly test: string },
): Promise<readonly PicturedMistake[]> {
  if (manifest === undefined) return mistakes;
  const given = await readInputsOf(
    test,
    mistakes.map(({ example }) => example),
  );
  return mistakes.map((mistake) => {
    const values = given.get(mistake.example);
    return values === undefined ? mistake : { ...mistake, ...shown(values, manifest) };
  });
}

function shown(
  values: Float64Array,
  { image, inputs = [] }: Manifest,
): Pick<PicturedMistake, 'png' | 'features'> {
  if (image !== undefined) {
    const pixels = picturedImage(values, image);
    return pixels === undefined ? {} : { png: Buffer.from(encodePng(pixels)).toString('base64') };
  }
  const [input] = inputs;
  if (input === undefined || values.length > MOST_FEATURES) return {};
  return { features: featureNames(input, values.length).map((name, at) => [name, values[at] as number]) };
}
