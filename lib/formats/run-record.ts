/** The records of a run on its volume: `run.json` (what the run is) and `rounds/<r>/round.json` (what happened). */
import { z } from 'zod';
import { DataError } from '../core/errors.js';
import type { PartitionSettings } from '../federation/partition/settings.js';
import type { StrategySettings } from '../federation/strategies/strategy-settings.js';
import { PARTITION, SCHEME } from '../settings/parts/partition.js';
import { STRATEGY, STRATEGY_NAME } from '../settings/parts/strategy.js';
import { schemaOfSettings, schemaOfVariants } from '../settings/schema.js';
import { RUN_PARTS, type RunSettings } from '../settings/table.js';
import { acrossClientsSchema, heldOutTestSchema } from './accuracy-record.js';
import {
  clientReasonField,
  countField as count,
  hashField as hash,
  isEachOnce,
  leadsField,
  lossField as loss,
  metricsField,
  privacySpentSchema,
  shareField as share,
} from './fields.js';
import { writeFileAtomic } from './files/atomic-file.js';
import { checksumField, jsonOrNothing, parseDocument, withChecksum } from './files/json-document.js';
import { readTextFile } from './files/read-file.js';
import { clipNormField, epochsField, updateMeasureFields } from './stage-results.js';

/** Changes when a reader of older records would misunderstand newer ones. */
const SCHEMA_VERSION = 1;

/** In run.json, where the first version wrote the scheme's name alone. */
export const partitionSettingsSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { scheme: value } : value),
  schemaOfVariants(PARTITION.settings, SCHEME),
) as unknown as z.ZodType<PartitionSettings>;

/** `strategy` in run.json; where it is absent, FedAvg. */
export const strategySettingsSchema = schemaOfVariants(
  STRATEGY.settings,
  STRATEGY_NAME,
) as unknown as z.ZodType<StrategySettings>;

/** The settings of a run, as records hold them: all from the table. */
export const runSettingsSchema = schemaOfSettings(
  RUN_PARTS.flatMap(({ settings }) => settings),
  {
    'federation.partition': partitionSettingsSchema,
    strategy: strategySettingsSchema.optional(),
  },
) as unknown as z.ZodType<RunSettings>;

/** The record of a run. */
export const runRecordSchema = z
  .object({
    schemaVersion: z.literal(SCHEMA_VERSION),
    id: z.string().describe('Derived from the settings of the run.'),
    name: z.string().optional().describe('What people call the run.'),
    tags: z.array(z.string()).optional().describe('Words by which people find it.'),
    createdAt: z.string().describe('When the run began (ISO 8601).'),
    settings: runSettingsSchema,
    threads: count.describe('Threads of each trainer: another number would change the last bits.'),
    versions: z
      .object({ fedbatch: z.string(), node: z.string() })
      .describe('Of the programs that began the run.'),
    checksum: checksumField,
  })
  .meta({ title: 'Run', description: 'run.json: what a run is, and all of its settings.' });

/** What a test found beside the loss. */
const figures = {
  accuracy: share.optional().describe('Share of right answers, where one can be right.'),
  task: z.string().optional().describe('What is learned, where that is not classification.'),
  metrics: metricsField.optional(),
  leads: leadsField.optional(),
};

const clientRecordSchema = z.object({
  client: count.describe('Number of the client, from 0.'),
  examples: count.describe('Examples of its shard.'),
  seconds: z.number().describe('Wall-clock seconds of the training.'),
  loss: loss.describe('Training loss of the last epoch; null where it is not finite.'),
  accuracy: share
    .optional()
    .describe('Training accuracy of the last epoch; absent where no answer is simply right.'),
  engine: z.string().optional().describe('What the training ran on, e.g. `onnx/cpu with blocks of 16`.'),
  shard: hash
    .optional()
    .describe('sha256 of the shard that it was trained on; in a simulation that is no file.'),
  sha256: hash.optional().describe('sha256 of its update; in a simulation that is no file.'),
  heldOut: heldOutTestSchema.optional(),
  epochs: epochsField,
  norm: updateMeasureFields.norm.optional(),
  cosine: updateMeasureFields.cosine,
  alone: z
    .object({ loss, ...figures })
    .optional()
    .describe("How the client's own model does on the test examples; found once the rounds are over."),
});

/** How the clients of a round do on what they hold out. */
export const trainedAcrossSchema = z
  .object({ before: acrossClientsSchema, after: acrossClientsSchema })
  .partial()
  .describe(
    'Over the clients that reported: of the global model that they started from, and of their own updates.',
  );

/** The record of a round. */
export const roundRecordSchema = z
  .object({
    schemaVersion: z.literal(SCHEMA_VERSION),
    round: count.describe('Number of the round, from 1.'),
    parent: hash.describe('sha256 of the global model that the round started from.'),
    selected: z.array(count).describe('The clients of the round.'),
    quorum: count.optional().describe('Fewest valid updates of the round.'),
    learningRate: z.number().optional().describe('The rate that the clients trained with.'),
    reported: z
      .array(clientRecordSchema)
      .refine(isEachOnce, 'a client stands there twice')
      .describe('Clients whose training has ended well.'),
    rejected: z
      .array(z.union([clientReasonField, z.object({ file: z.string(), reason: z.string() })]))
      .describe(
        "Updates that did not count: by client, or by file where the name is not that of a client's update.",
      ),
    missing: z
      .array(clientReasonField)
      .describe(
        'Selected clients that crashed, refused or were late. Final once the round is aggregated; retried until then.',
      ),
    simulated: z
      .object({ engine: z.string(), jobs: count })
      .optional()
      .describe('Where the clients were simulated: on what, by how many workers side by side.'),
    aggregate: z
      .object({
        inputs: hash.describe(
          'sha256 over the hashes of the parent and of all updates: says what the model was made from.',
        ),
        updates: count,
        examples: count,
        seconds: z.number(),
        sha256: hash.describe('Of the global model that the round ends with.'),
        state: hash.optional().describe("sha256 of the server optimizer's state that belongs to it."),
        privacy: privacySpentSchema.optional().describe('Spent by this round and all before it.'),
        clipNorm: clipNormField,
      })
      .optional(),
    failure: z
      .object({ stage: z.literal('aggregate'), reason: z.string() })
      .optional()
      .describe('Why the last attempt to aggregate made no global model.'),
    evaluation: z
      .object({
        model: hash.describe('sha256 of the evaluated model.'),
        test: hash.describe('sha256 of the test examples.'),
        examples: count,
        loss,
        ...figures,
        acrossClients: acrossClientsSchema.optional(),
        seconds: z.number(),
      })
      .optional(),
    acrossClients: trainedAcrossSchema.optional(),
    pruned: z
      .array(z.string())
      .optional()
      .describe(
        'What of the folder of the round was removed, since later rounds need it no more (--keep-rounds).',
      ),
    seconds: z
      .object({ train: z.number(), aggregate: z.number(), evaluate: z.number() })
      .optional()
      .describe(
        'Wall-clock seconds of the whole round, by its steps; of the last attempt, where it was interrupted.',
      ),
    checksum: checksumField,
  })
  .meta({
    title: 'Round',
    description: 'rounds/<r>/round.json: who took part in a round, and what it came to.',
  });

/** What a run is: `run.json`. */
export type RunRecord = z.infer<typeof runRecordSchema>;
/** One client that reported in a round. */
export type ClientRecord = z.infer<typeof clientRecordSchema>;
/** What happened in one round: `round.json`. Written anew after each step of the round. */
export type RoundRecord = z.infer<typeof roundRecordSchema>;

/** A run that has just begun. */
export function newRunRecord(facts: Omit<RunRecord, 'schemaVersion' | 'createdAt'>): RunRecord {
  return { schemaVersion: SCHEMA_VERSION, createdAt: new Date().toISOString(), ...facts };
}

/** A round in which nobody has reported yet. */
export function newRoundRecord(
  facts: Pick<RoundRecord, 'round' | 'parent'> & {
    readonly selected: readonly number[];
    readonly quorum?: number | undefined;
  },
): RoundRecord {
  const { round, parent, selected, quorum = selected.length } = facts;
  return {
    schemaVersion: SCHEMA_VERSION,
    round,
    parent,
    selected: [...selected],
    quorum,
    reported: [],
    rejected: [],
    missing: [],
  };
}

/** Reads `run.json`. @throws {DataError} when it is missing or not a run's record. */
export function readRunRecord(path: string): Promise<RunRecord> {
  return readRecord(path, runRecordSchema, 'the record of a run (run.json)');
}

/** Reads `round.json`. @throws {DataError} when it is missing or not a round's record. */
export function readRoundRecord(path: string): Promise<RoundRecord> {
  return readRecord(path, roundRecordSchema, 'the record of a round (round.json)');
}

/** The clients whose updates did not count. */
export function rejectedClients(rejected: RoundRecord['rejected']): ReadonlySet<number> {
  return new Set(rejected.flatMap((each) => ('client' in each ? [each.client] : [])));
}

/** Writes either record atomically. */
export function writeRecord(path: string, record: RunRecord | RoundRecord): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(withChecksum(record), null, 2)}\n`);
}

const versionSchema = z.object({ schemaVersion: z.number() });

/** Reads a record of a schema. @throws {DataError} when it is missing, or something else than `what` says */
export async function readRecord<T>(path: string, schema: z.ZodType<T>, what: string): Promise<T> {
  const text = await readTextFile(path, what);
  const version = versionSchema.safeParse(jsonOrNothing(text)).data?.schemaVersion ?? SCHEMA_VERSION;
  if (version > SCHEMA_VERSION) {
    const found = `version ${version}, which a later fedbatch has written: take that one`;
    throw new DataError({ file: path, expected: `${what} of version ${SCHEMA_VERSION}`, found });
  }
  return parseDocument(text, { schema, file: path, expected: what });
}
