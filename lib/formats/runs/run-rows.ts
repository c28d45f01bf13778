/** What `fedbatch runs` tells of runs: schemas and types of its results. */
import { z } from 'zod';
import { countField as count, hashField as hash, lossField as loss, metricsField } from '../fields.js';
import { runRecordSchema } from '../run-record.js';
import { runStateField } from './run-status.js';

const { id, name, tags, createdAt } = runRecordSchema.shape;

const value = z
  .union([z.string(), z.number(), z.boolean()])
  .nullable()
  .describe('Null where the run has none.');

const rowSchema = z.object({
  ...{ id, name, tags, createdAt },
  volume: z.string().describe('Directory of the run.'),
  dataset: z.string(),
  model: z.string().describe('Its name, or that of its file.'),
  clients: count.describe('Number of clients, K.'),
  rounds: count.describe('Rounds that were tested.'),
  most: count.describe('Rounds at most.'),
  metric: z.string().optional().describe('The metric that leads the task.'),
  value: z.number().optional().describe('Its value after the last tested round.'),
  loss: loss.optional().describe('Of the same test.'),
  metrics: metricsField.optional(),
  sha256: hash.optional().describe('Of the model that was tested last.'),
  state: runStateField,
});

/** `runs --json`. */
export const runRowsSchema = z
  .array(rowSchema)
  .meta({ title: 'Result of runs', description: 'The runs below a folder, the newest first.' });

/** `runs compare --json`. */
export const runComparisonSchema = z
  .object({
    runs: z.array(rowSchema).describe('In the order in which they were named.'),
    settings: z
      .array(z.object({ place: z.string().describe('E.g. `training.epochs`.'), values: z.array(value) }))
      .describe('The settings in which they differ, with the values of each run.'),
    figures: z
      .array(z.object({ name: z.string(), values: z.array(z.number().nullable()) }))
      .describe('What the last test of each run found, and what it took.'),
  })
  .meta({ title: 'Result of runs compare', description: 'What sets runs apart, and what came of it.' });

/** A run in a list. */
export type RunRow = Readonly<z.infer<typeof rowSchema>>;
/** Runs side by side. */
export type RunComparison = Readonly<z.infer<typeof runComparisonSchema>>;
