/** Finds how a model came about: the records of the run whose volume it lies on, where they are about exactly this file. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { readRunRecord } from '../lib/formats/run-record.js';
import type { ModelTraining } from './predictor.js';

/** Name of the log of events, in the model's directory. */
export const METRICS_FILE = 'metrics.jsonl';

/** The line of metrics.jsonl that ends a round. */
const roundEvent = z.object({
  event: z.literal('round'),
  time: z.iso.datetime(),
  round: z.int().positive(),
  sha256: z.string(),
});

/** The training of the model file whose sha256 is given; undefined where no run beside it made that file. */
export async function findTraining(modelPath: string, sha256: string): Promise<ModelTraining | undefined> {
  const volume = dirname(modelPath);
  const lines = await readFile(join(volume, METRICS_FILE), 'utf8').catch(() => '');
  const rounds = lines
    // Only a few lines are about rounds' ends; the others need not be parsed.
    .split('\n')
    .filter((line) => line.includes(sha256))
    .map((line) => roundEvent.safeParse(parseJson(line)))
    .flatMap(({ data }) => (data?.sha256 === sha256 ? [data] : []));
  const last = rounds.at(-1);
  if (last === undefined) return undefined;
  const run = await readRunRecord(join(volume, 'run.json')).catch(() => undefined);
  if (run === undefined) return undefined;
  return { rounds: last.round, clients: run.settings.federation.clients, finishedAt: last.time };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
