/** What a pipeline without a volume of its own tells the recorder: of the run, of a round's training, of its end. */
import { z } from 'zod';
import { clientReasonField, countField as count, hashField as hash } from '../../lib/formats/fields.js';
import { readDocument } from '../../lib/formats/files/json-document.js';
import { quorumSchema } from '../../lib/formats/metrics-event.js';
import { runSettingsSchema } from '../../lib/formats/run-record.js';
import { runFailureSchema, runResultSchema } from '../../lib/formats/run-results.js';
import { aggregateResultSchema, trainResultSchema } from '../../lib/formats/stage-results.js';
import type { RunGroup } from '../../observe/watcher.js';

/** The run as asked for. */
export const runFactsSchema = z.strictObject({
  id: z.string(),
  name: z.string().optional(),
  settings: runSettingsSchema,
  threads: count,
  quorum: quorumSchema.optional(),
  retries: count,
  deadlineSeconds: z.number().optional(),
});

/** Which round, and what it started from. */
const roundStartSchema = z.strictObject({
  round: count,
  parent: hash,
  selected: z.array(count),
  quorum: count.optional(),
});

/** A round whose clients are done. */
export const trainedFactsSchema = roundStartSchema.extend({
  learningRate: z.number().optional(),
  reported: z.array(trainResultSchema.omit({ round: true })),
  missing: z.array(clientReasonField),
});

/** A round that is aggregated and tested: `accuracy.json` tells of the test. */
export const testedFactsSchema = roundStartSchema.extend({
  aggregate: aggregateResultSchema,
  /** Wall-clock seconds of the steps. */
  seconds: z.strictObject({ train: z.number(), aggregate: z.number() }),
});

/** A run whose rounds are over. */
export const endFactsSchema = z.strictObject({
  last: roundStartSchema,
  /** sha256 of the last round's model; round and sha256 of the best one. */
  lastModel: hash,
  best: z.strictObject({ round: count, sha256: hash }),
  /** The run's result, as its JSON line tells it. */
  result: runResultSchema,
  /** Where the accuracy is below what was asked for. */
  failure: runFailureSchema.optional(),
});

/** A run that failed, by its settings: what lies there may be another's. */
export const failedFactsSchema = z.strictObject({ settings: runSettingsSchema, failure: runFailureSchema });

export type RunFacts = z.infer<typeof runFactsSchema>;
export type RoundStartFacts = z.infer<typeof roundStartSchema>;
export type TrainedFacts = z.infer<typeof trainedFactsSchema>;
export type TestedFacts = z.infer<typeof testedFactsSchema>;
export type EndFacts = z.infer<typeof endFactsSchema>;
export type FailedFacts = z.infer<typeof failedFactsSchema>;

/** What a run is a part of, as its recorder is told. */
export const runGroupSchema: z.ZodType<RunGroup> = z.strictObject({
  kind: z.enum(['sweep', 'seeds']),
  id: z.string(),
  name: z.string().optional(),
  createdAt: z.string(),
  runs: count.optional(),
});

/** Reads a file of facts. @throws {DataError} when it is missing, or tells of something else */
export async function readFacts<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  return await readDocument({ schema, file: path, expected: 'facts for the record of a run' });
}
