/** What TensorBoard is shown of a global model: how its weights lie, and what it takes for what. */
import { readFile, stat } from 'node:fs/promises';
import { DataError } from '../../lib/core/errors.js';
import { errorCode } from '../../lib/core/system-errors.js';
import { type AccuracyRecord, accuracyRecordSchema } from '../../lib/formats/accuracy-record.js';
import { confusionsIn } from '../../lib/formats/confusions.js';
import { picturedImage, readInputsOf } from '../../lib/formats/data/example-pictures.js';
import { jsonOrNothing } from '../../lib/formats/files/json-document.js';
import { readKerasFile } from '../../lib/formats/keras/keras-hdf5.js';
import { readManifest } from '../../lib/formats/manifest.js';
import type { VolumePaths } from '../../lib/formats/volume.js';
import { histogramOf, type SummaryValue } from './event-message.js';
import { confusionPicture, mistakesPicture, type SeenMistake } from './pictures.js';

/** Some three times as much is held in memory for a moment, and the recorder of a cluster has 256 MiB in all. */
const MOST_MODEL_BYTES = 32e6;

/** A histogram of each array of the model at `path`; none of a large model, or where it lies there no longer. */
export async function weightHistograms(path: string): Promise<readonly SummaryValue[]> {
  const file = await stat(path).catch(() => undefined);
  if (file === undefined || file.size > MOST_MODEL_BYTES) return [];
  const model = await readKerasFile(path).catch((error: unknown) => {
    // It was pruned between the two.
    if (error instanceof DataError && errorCode(error.cause) === 'ENOENT') return undefined;
    throw error;
  });
  const { weights = [] } = model ?? {};
  return weights.flatMap(({ name, values }) => {
    const histogram = histogramOf(values);
    // `:0` says nothing to anybody but TensorFlow.
    return histogram === undefined ? [] : [{ tag: `weights/${name.replace(/:0$/, '')}`, histogram }];
  });
}

const testSchema = accuracyRecordSchema.pick({ sha256: true, mistakes: true });

/** Pictures of the test of that model; none where `accuracy.json` is by now that of another one, or of no classifier. */
export async function testPictures(
  paths: VolumePaths,
  sha256: string | undefined,
): Promise<readonly SummaryValue[]> {
  const record = jsonOrNothing(await readFile(paths.accuracy, 'utf8').catch(() => ''));
  const { data: test } = testSchema.safeParse(record);
  if (test === undefined || test.sha256 !== sha256) return [];
  const pictures = {
    confusion: confusionPicture(confusionsIn(record as object) ?? []),
    mistakes: mistakesPicture(await seenMistakes(paths, test.mistakes ?? [])),
  };
  return Object.entries(pictures).flatMap(([name, picture]) =>
    picture === undefined ? [] : [{ tag: `test/${name}`, picture }],
  );
}

/** The images that were taken for something else; none where examples are no images. */
async function seenMistakes(
  paths: VolumePaths,
  mistakes: NonNullable<AccuracyRecord['mistakes']>,
): Promise<readonly SeenMistake[]> {
  const { image } = await readManifest(paths.manifest);
  if (image === undefined || mistakes.length === 0) return [];
  const inputs = await readInputsOf(
    paths.test,
    mistakes.map(({ example }) => example),
  );
  return mistakes.flatMap(({ example, label, predicted }) => {
    const values = inputs.get(example);
    const pixels = values && picturedImage(values, image);
    return pixels === undefined || label === undefined || predicted === undefined
      ? []
      : [{ label, predicted, pixels }];
  });
}
