/** Finds what the accuracy test said about a model: an accuracy.json beside it that is about exactly this file. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { confusionsIn, worstConfusions } from '../lib/formats/confusions.js';
import type { ModelAccuracy } from './predictor.js';

const accuracyRecord = z.object({
  sha256: z.string(),
  accuracy: z.number().min(0).max(1),
  loss: z.number().nullable(),
  examples: z.number().int().positive(),
});

/** A page shows no more. */
const MOST_CONFUSIONS = 3;

/** Name of the record, in the model's directory. */
export const ACCURACY_FILE = 'accuracy.json';

/** An accuracy test, and the sha256 of the file that was tested. */
export interface TestedModel {
  readonly sha256: string;
  readonly accuracy: ModelAccuracy;
}

/** The accuracy of the model file at `modelPath` whose sha256 is given; undefined where nobody has tested that file. */
export async function findAccuracy(modelPath: string, sha256: string): Promise<ModelAccuracy | undefined> {
  const tested = await readAccuracy(modelPath);
  return tested?.sha256 === sha256 ? tested.accuracy : undefined;
}

/** The last accuracy test beside a model file, whichever file it was about; undefined where there is none. */
export async function readAccuracy(modelPath: string): Promise<TestedModel | undefined> {
  const text = await readFile(join(dirname(modelPath), ACCURACY_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const content = parseJson(text);
  const record = accuracyRecord.safeParse(content);
  if (!record.success) return undefined;
  const { sha256, accuracy, loss, examples } = record.data;
  const worst = worstConfusions(confusionsIn(content as object) ?? [], MOST_CONFUSIONS);
  const known = { accuracy, loss, examples };
  return { sha256, accuracy: worst.length === 0 ? known : { ...known, confusions: worst } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
