/** `seeds.json`: a run that is repeated with several seeds, and the mean and spread of what the runs came to. */
import { z } from 'zod';
import { countField } from './fields.js';
import { writeFileAtomic } from './files/atomic-file.js';
import { compactJson, withChecksum } from './files/json-document.js';
import { readRecord, runRecordSchema } from './run-record.js';
import { runResultSchema } from './run-results.js';

const figureSchema = z.object({
  mean: z.number(),
  sd: z
    .number()
    .nullable()
    .describe('Standard deviation of a sample (divided by runs - 1); null of a single run.'),
  least: z.number(),
  most: z.number(),
  runs: countField.min(1).describe('Runs that have the figure.'),
});

const figuresField = z
  .record(z.string(), figureSchema)
  .describe(
    "By the place of the figure in a run's result, e.g. `best.accuracy`; true counts as 1, false as 0.",
  );

/** The record of a repeated run, which is also what `run --seeds --json` prints. */
export const repeatedRunSchema = runRecordSchema
  .extend({
    runs: z
      .array(runResultSchema.extend({ seed: countField }))
      .readonly()
      .describe('The finished runs; the settings above are those of the first seed.'),
    figures: figuresField,
    course: z
      .array(z.object({ round: countField, figures: figuresField }))
      .readonly()
      .describe('What the tests of the global model found after each round.'),
  })
  .meta({
    title: 'Repeated run',
    description:
      'seeds.json: a run with several seeds, mean and standard deviation of all that they came to.',
  });

/** A figure over several runs. */
export type Figure = Readonly<z.infer<typeof figureSchema>>;
/** Figures by their names. */
export type Figures = Readonly<Record<string, Figure>>;
/** A run that is repeated with several seeds. */
export type RepeatedRun = Readonly<z.infer<typeof repeatedRunSchema>>;

/** Reads `seeds.json`. @throws {DataError} when it is missing or no such record */
export function readRepeatedRun(path: string): Promise<RepeatedRun> {
  return readRecord(path, repeatedRunSchema, 'the record of a repeated run (seeds.json)');
}

/** Writes `seeds.json`. */
export function writeRepeatedRun(path: string, record: RepeatedRun): Promise<void> {
  return writeFileAtomic(path, `${compactJson(withChecksum(record))}\n`);
}
