/** Reads the names of a model's classes: a text file of one name a line. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DataError } from '../lib/core/errors.js';
import { readFileBytes } from '../lib/formats/atomic-file.js';

/** Where the names may be, and how many there must be. */
export interface LabelSource {
  readonly modelPath: string;
  /** The file that was asked for; by default `labels.txt` beside the model. */
  readonly labelsPath: string | undefined;
  readonly classes: number;
}

/**
 * The name of each class, in order; undefined where nobody gave any.
 *
 * @throws {DataError} when the file that was asked for is missing, or any has another number of names
 */
export async function findLabels({
  modelPath,
  labelsPath,
  classes,
}: LabelSource): Promise<readonly string[] | undefined> {
  const file = labelsPath ?? join(dirname(modelPath), 'labels.txt');
  if (labelsPath === undefined && !existsSync(file)) return undefined;
  const text = Buffer.from(await readFileBytes(file, 'a text file of class names')).toString('utf8');
  const labels = text.split(/\r?\n/).map((line) => line.trim());
  while (labels.at(-1) === '') labels.pop();
  if (labels.length === classes && labels.every((label) => label !== '')) return labels;
  throw new DataError({
    file,
    expected: `${classes} class names, one a line`,
    found: labels.includes('') ? 'an empty line' : `${labels.length}`,
  });
}
