/** The record of a sweep: `sweep.json`, written anew after each trial, and what a sweep prints for other programs. */
import { z } from 'zod';
import {
  countField as count,
  hashField as hash,
  lossField as loss,
  metricsField,
} from '../lib/formats/fields.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { checksumField, withChecksum } from '../lib/formats/files/json-document.js';
import { readRecord } from '../lib/formats/run-record.js';

/** Changes when a reader of older records would misunderstand newer ones. */
const SCHEMA_VERSION = 1;

const settingValue = z.union([z.string(), z.number(), z.boolean()]);
const values = z.record(z.string(), settingValue).describe('Of the axes, by place.');
const metric = z.string().describe('The metric that leads the task.');

const axisSchema = z.object({
  place: z.string().describe('The setting, e.g. `training.learningRate`.'),
  name: z.string().describe('What people call it.'),
  values: z.array(settingValue).optional().describe('The values that it takes.'),
  range: z
    .object({ from: z.number(), to: z.number(), isLog: z.boolean() })
    .optional()
    .describe('The range that its values are drawn from.'),
});

const trialSchema = z.object({
  number: count.describe('From 1, in the order of the sweep.'),
  id: z.string().describe('Of its run; its volume is `trials/<id>`.'),
  values,
  seed: count,
  state: z
    .enum(['open', 'finished', 'stopped', 'failed'])
    .describe('Stopped ones were hopeless; open ones are still to do.'),
  reason: z.string().optional().describe('Why it was stopped, or failed.'),
  metric: metric.optional(),
  course: z
    .array(z.number().nullable())
    .describe('Value of the metric after each round; null where it is not finite.'),
  loss: loss.optional().describe('Of the last global model.'),
  metrics: metricsField.optional().describe('Of the same.'),
  best: z
    .object({ round: count, value: z.number().nullable() })
    .optional()
    .describe('The round with the best model.'),
  seconds: z.number().optional().describe('Of the session that finished it.'),
  sha256: hash.optional().describe('Of its last global model.'),
});

const search = z
  .object({ kind: z.enum(['grid', 'random', 'sobol']), count: count.optional() })
  .describe('All combinations of the axes, or so many that are drawn.');

/** `sweep.json`. */
export const sweepRecordSchema = z
  .object({
    schemaVersion: z.literal(SCHEMA_VERSION),
    id: z.string().describe('Derived from the trials.'),
    createdAt: z.string().describe('When the sweep began (ISO 8601).'),
    search,
    medianRule: count.optional().describe('Rounds after which hopeless trials are stopped.'),
    axes: z.array(axisSchema),
    trials: z.array(trialSchema),
    checksum: checksumField,
  })
  .meta({
    title: 'Sweep',
    description: 'sweep.json: the axes of a sweep, its trials, and what came of each.',
  });

const rankingRowSchema = z.object({
  values,
  trials: z.array(count).describe('Numbers of the trials: one for each seed.'),
  state: trialSchema.shape.state.describe('Finished only where all of its trials are.'),
  metric: metric.optional(),
  mean: z.number().optional().describe('Of the metric after the last round, over the seeds.'),
  sd: z.number().optional().describe('Standard deviation of the same, of two seeds or more.'),
  rounds: z.number().describe('Mean number of rounds.'),
  seconds: z.number().describe('Of all of its trials.'),
});

/** `sweep --json`. */
export const sweepResultSchema = z
  .object({
    id: z.string(),
    directory: z.string().describe('Of the sweep: sweep.json, sweep.html and trials/.'),
    page: z.string(),
    finished: count,
    stopped: count,
    failed: count,
    ranking: z.array(rankingRowSchema).describe('The best first; what is not finished comes last.'),
  })
  .meta({
    title: 'Result of sweep',
    description: 'The configurations of a sweep in the order of their results.',
  });

/** What a sweep is, and how far. */
export type SweepRecord = z.infer<typeof sweepRecordSchema>;
/** How one trial stands. */
export type TrialRecord = z.infer<typeof trialSchema>;
/** One configuration, all of its seeds together. */
export type RankingRow = Readonly<z.infer<typeof rankingRowSchema>>;
/** What a sweep prints. */
export type SweepResult = Readonly<z.infer<typeof sweepResultSchema>>;

/** A sweep that has just begun. */
export function newSweepRecord(facts: Omit<SweepRecord, 'schemaVersion' | 'createdAt'>): SweepRecord {
  return { schemaVersion: SCHEMA_VERSION, createdAt: new Date().toISOString(), ...facts };
}

/** Reads `sweep.json`. @throws {DataError} when it is missing or no record of a sweep */
export function readSweepRecord(file: string): Promise<SweepRecord> {
  return readRecord(file, sweepRecordSchema, 'the record of a sweep (sweep.json)');
}

/** Writes it. */
export function writeSweepRecord(file: string, record: SweepRecord): Promise<void> {
  return writeFileAtomic(file, `${JSON.stringify(withChecksum(record), null, 2)}\n`);
}
