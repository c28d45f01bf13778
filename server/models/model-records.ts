/** Reads what lies beside a model file about exactly this file: its accuracy test, its training, the names of its classes. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../lib/core/errors.js';
import { leadingFigure } from '../../lib/federation/metrics.js';
import { testFiguresSchema } from '../../lib/formats/accuracy-record.js';
import { confusionsIn, worstConfusions } from '../../lib/formats/confusions.js';
import { jsonOrNothing, withoutChecksum } from '../../lib/formats/files/json-document.js';
import { readFileBytes } from '../../lib/formats/files/read-file.js';
import { readRunRecord } from '../../lib/formats/run-record.js';
import { eventLines } from '../../lib/formats/runs/event-lines.js';
import type { ToldData } from './data-facts.js';
import type { ModelCard, ModelTraining } from './model-card.js';

/** A page shows no more. */
const MOST_CONFUSIONS = 3;

/** Name of the record, in the model's directory. */
export const ACCURACY_FILE = 'accuracy.json';

/** What a test found, and the sha256 of the file that was tested. */
interface TestedModel {
  readonly sha256: string;
  readonly found: TestFacts;
}

/** What a test adds to a model's card. */
type TestFacts = Pick<ModelCard, 'accuracy' | 'tested'>;

/** What the last test found of the model file at `modelPath` whose sha256 is given; nothing where nobody has tested that file. */
export async function findTest(modelPath: string, sha256: string): Promise<TestFacts> {
  const tested = await readTestedModel(modelPath);
  return tested?.sha256 === sha256 ? tested.found : {};
}

/** The last test beside a model file, whichever file it was about; undefined where there is none. */
export async function readTestedModel(modelPath: string): Promise<TestedModel | undefined> {
  const text = await readFile(join(dirname(modelPath), ACCURACY_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const content = withoutChecksum(jsonOrNothing(text));
  const record = testFiguresSchema.safeParse(content);
  if (!record.success) return undefined;
  const { sha256, accuracy, loss, examples } = record.data;
  if (accuracy === undefined) {
    const { metric, value } = leadingFigure(record.data);
    return Number.isNaN(value) ? undefined : { sha256, found: { tested: { metric, value, examples } } };
  }
  const worst = worstConfusions(confusionsIn(content as object) ?? [], MOST_CONFUSIONS);
  const known = { accuracy, loss, examples };
  return { sha256, found: { accuracy: worst.length === 0 ? known : { ...known, confusions: worst } } };
}

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
  let last: z.infer<typeof roundEvent> | undefined;
  try {
    for await (const lines of eventLines(join(volume, METRICS_FILE))) {
      // Only a few lines are about rounds' ends; the others need not be parsed.
      for (const line of lines.filter((each) => each.includes(sha256))) {
        const { data } = roundEvent.safeParse(jsonOrNothing(line));
        if (data?.sha256 === sha256) last = data;
      }
    }
  } catch {
    // Records are told where they can be read.
  }
  if (last === undefined) return undefined;
  const run = await readRunRecord(join(volume, 'run.json')).catch(() => undefined);
  if (run === undefined) return undefined;
  return { rounds: last.round, clients: run.settings.federation.clients, finishedAt: last.time };
}

/** Where the names may be, and how many there must be. */
export interface LabelSource {
  readonly modelPath: string;
  /** The file that was asked for; by default `labels.txt` beside the model, else what the data of its run say. */
  readonly labelsPath: string | undefined;
  /** Of these numbers any; the first is that of classes. */
  readonly counts: readonly [number, ...number[]];
  /** What the data of the run say. */
  readonly told: Pick<ToldData, 'classNames'>;
}

/**
 * The name of each class, in order; undefined where nobody gave any.
 *
 * @throws {DataError} when the file that was asked for is missing, or any has another number of names
 */
export async function findLabels({
  modelPath,
  labelsPath,
  counts,
  told,
}: LabelSource): Promise<readonly string[] | undefined> {
  const file = labelsPath ?? join(dirname(modelPath), 'labels.txt');
  if (labelsPath === undefined && !existsSync(file)) {
    const names = told.classNames;
    return names !== undefined && counts.includes(names.length) ? names : undefined;
  }
  const text = Buffer.from(await readFileBytes(file, 'a text file of class names')).toString('utf8');
  const labels = text.split(/\r?\n/).map((line) => line.trim());
  while (labels.at(-1) === '') labels.pop();
  if (counts.includes(labels.length) && labels.every((label) => label !== '')) return labels;
  throw new DataError({
    file,
    expected: `${counts.join(' or ')} class names, one a line`,
    found: labels.includes('') ? 'an empty line' : `${labels.length}`,
  });
}
