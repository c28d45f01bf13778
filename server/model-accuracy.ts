/** Finds what the accuracy test said about a model: an accuracy.json beside it that is about exactly this file. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { ModelAccuracy } from './predictor.js';

const accuracyRecord = z.object({
  sha256: z.string(),
  accuracy: z.number().min(0).max(1),
  loss: z.number(),
  examples: z.number().int().positive(),
});

/** The accuracy of the model file at `modelPath` whose sha256 is given; undefined where nobody has tested that file. */
export async function findAccuracy(modelPath: string, sha256: string): Promise<ModelAccuracy | undefined> {
  const text = await readFile(join(dirname(modelPath), 'accuracy.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const record = accuracyRecord.safeParse(parseJson(text));
  if (!record.success || record.data.sha256 !== sha256) return undefined;
  const { accuracy, loss, examples } = record.data;
  return { accuracy, loss, examples };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
