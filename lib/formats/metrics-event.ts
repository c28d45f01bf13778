/**
 * The events of a run, as `metrics.jsonl` holds them: one JSON object a line. Fields are added without a new version, so
 * that readers pass over what they do not know; what a field means changes with the version alone.
 */
import { z } from 'zod';
import {
  countField as count,
  hashField as hash,
  lossField as loss,
  metricsField,
  shareField as share,
} from './fields.js';
import { roundRecordSchema, runSettingsSchema, trainedAcrossSchema } from './run-record.js';
import { runFailureSchema, runResultSchema } from './run-results.js';
import { measuresField } from './stage-results.js';

const time = z.string().describe('When it happened (ISO 8601).');
const { reported, rejected, aggregate, evaluation } = roundRecordSchema.shape;
const round = count.describe('Number of the round, from 1.');
const client = count.describe('Number of the client, from 0.');
const reason = z.string().describe('Why, in one sentence.');
const learningRate = z
  .number()
  .optional()
  .describe('The rate that the clients train with; absent where it is that of a compiled model.');

/** How a quorum is given: as a number of updates, or as a share of the selected clients. */
export const quorumSchema = z.union([z.strictObject({ count }), z.strictObject({ share: z.number() })]);

/** Changes when a reader of older events would misunderstand newer ones. */
export const EVENTS_VERSION = 1;

const events = [
  z.object({
    event: z.literal('start'),
    schemaVersion: z
      .literal(EVENTS_VERSION)
      .optional()
      .describe(
        'Version of the events up to the next start; absent in files of before there was one, which have fewer fields.',
      ),
    id: z.string().describe('Name of the run.'),
    resumed: z.boolean().describe('Whether an earlier session had begun the run.'),
    settings: runSettingsSchema,
    quorum: quorumSchema.optional(),
    retries: count.describe('How often a client whose training failed was retried.'),
    deadlineSeconds: z.number().optional().describe('Seconds that the clients of a round have.'),
    cores: count.optional().describe('Cores that all stages together may use.'),
    jobs: count.optional().describe('Trainers side by side at most.'),
    threads: count.describe('Threads of each trainer.'),
  }),
  z.object({ event: z.literal('split'), shards: count, seconds: z.number() }),
  z.object({ event: z.literal('update'), round, learningRate, ...reported.unwrap().shape }),
  z.object({
    event: z.literal('updates'),
    round,
    learningRate,
    clients: count.describe('Simulated clients that reported; round.json tells of each.'),
    examples: count.optional().describe('Their examples.'),
    loss: loss.optional().describe("Mean of their last epochs' training losses, weighted by examples."),
    accuracy: share.optional().describe('The same of their accuracies, where an answer can be right.'),
    seconds: z.number(),
    stepSeconds: z.number().describe('Seconds of all training steps, whichever worker did them.'),
    startSeconds: z
      .number()
      .optional()
      .describe('Seconds until the simulator had its data and its workers, in the round that started it.'),
  }),
  z.object({
    event: z.literal('retry'),
    round,
    client,
    retry: count.describe('Which retry this is, from 1.'),
    reason,
  }),
  z.object({ event: z.literal('missing'), round, client, reason }),
  z.object({ event: z.literal('rejected'), round, rejected }),
  z.object({
    event: z.literal('aggregate'),
    round,
    ...aggregate.unwrap().shape,
    rejected,
    clients: measuresField,
  }),
  z.object({ event: z.literal('evaluation'), round, ...evaluation.unwrap().shape }),
  z.object({
    event: z.literal('round'),
    round,
    selected: count.describe('Clients that were selected; the next three say what became of them.'),
    quorum: count.optional(),
    reported: count,
    rejected: count,
    missing: count,
    updates: count.optional().describe('Updates in the average.'),
    examples: count.optional().describe('Their examples.'),
    accuracy: share.optional().describe('Of the global model on the held-out examples.'),
    loss: loss.optional(),
    metrics: metricsField.optional(),
    best: z
      .number()
      .nullable()
      .describe('Best accuracy so far; of other tasks the best value of the metric that leads.'),
    seconds: z.object({ train: z.number(), aggregate: z.number(), evaluate: z.number() }),
    sha256: hash.optional().describe('Of the global model that the round ended with.'),
    acrossClients: trainedAcrossSchema.optional(),
  }),
  runResultSchema.extend({ event: z.literal('end') }),
  runFailureSchema.extend({ event: z.literal('failure') }),
] as const;

/** An event before it is written. */
export type RunEvent = z.infer<(typeof events)[number]>;

/** An event with the time at which it was written. */
export type TimedEvent = RunEvent & { readonly time: string };

const timed = events.map((each) => each.extend({ time }));

/** A line of `metrics.jsonl`. */
export const metricsEventSchema = z
  .discriminatedUnion('event', timed as unknown as [(typeof timed)[0], ...typeof timed])
  .meta({ title: 'Event', description: 'One line of metrics.jsonl: something that happened in a run.' });
