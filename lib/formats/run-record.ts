/** The records of a run on its volume: `run.json` (what the run is) and `rounds/<r>/round.json` (what happened). */
import { z } from 'zod';
import { writeFileAtomic } from './files/atomic-file.js';
import { parseDocument } from './files/json-document.js';
import { readFileBytes } from './files/read-file.js';
import { partitionSettingsSchema } from './partition-record.js';
import { privacySpentSchema, strategySettingsSchema } from './strategy-record.js';

/** Changes when a reader of older records would misunderstand newer ones. */
const SCHEMA_VERSION = 1;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().nonnegative();
const share = z.number().min(0).max(1);
/** JSON has no NaN: a loss that overflowed is written as null. */
const loss = z.number().nullable();

/** The settings of a run, as records hold them. */
export const runSettingsSchema = z.strictObject({
  seed: count,
  dataset: z.strictObject({
    /** A name (`digits`, `mnist`) or an absolute path. */
    name: z.string(),
    /** Which numbers are black and white in the images, where it was given. */
    scale: z.string().optional(),
    /** Of the dataset's file; for a name known once the split has read it. */
    sha256: hash.optional(),
  }),
  model: z.strictObject({ name: z.string() }),
  /** As asked for; what really ran stands with each client in round.json. */
  engine: z.strictObject({ name: z.string(), backend: z.string().optional() }).default({ name: 'auto' }),
  training: z.strictObject({
    /** One of the two. */
    epochs: count.optional(),
    localSteps: count.optional(),
    batch: z.union([count, z.literal('all')]),
    optimizer: z.enum(['adam', 'sgd']),
    learningRate: z.number(),
    /** How the rate changes from round to round; constant where nothing stands here. */
    learningRateDecay: z.union([z.number(), z.literal('cosine')]).optional(),
    warmUpRounds: count.optional(),
    scaleLearningRate: z.boolean().optional(),
    momentum: z.number(),
    /** μ of FedProx; 0 where nothing stands here. */
    proximal: z.number().optional(),
  }),
  federation: z.strictObject({
    clients: count,
    /** As many as were asked for so far: a later run may add some. */
    rounds: count,
    partition: partitionSettingsSchema,
    /** Share of the clients that a round selects, and how many it selects at least. */
    fraction: share.default(1),
    minClients: count.default(1),
    /** Ends the rounds early: an accuracy that is enough; rounds in a row without a better one. */
    targetAccuracy: share.optional(),
    patience: count.optional(),
    /** Clients are data, not processes: the same models, other files. */
    simulate: z.literal(true).optional(),
  }),
  /** How updates become the next global model; FedAvg where nothing stands here. */
  strategy: strategySettingsSchema.optional(),
});

const runRecordSchema = z.object({
  schemaVersion: z.literal(SCHEMA_VERSION),
  id: z.string(),
  createdAt: z.string(),
  settings: runSettingsSchema,
  /** Threads of each trainer: another number would change the last bits. */
  threads: count,
  versions: z.object({ fedbatch: z.string(), node: z.string() }),
});

const clientRecordSchema = z.object({
  client: count,
  examples: count,
  /** Wall-clock seconds of the training. */
  seconds: z.number(),
  /** Training loss and accuracy of the last epoch. */
  loss,
  accuracy: share,
  /** What the training ran on, e.g. `onnx/cpu with blocks of 16`. */
  engine: z.string().optional(),
  /** sha256 of the shard that it was trained on, and of its update; in a simulation neither is a file. */
  shard: hash.optional(),
  sha256: hash.optional(),
  /** How the client's own model does on the test examples; found once the rounds are over. */
  alone: z.object({ loss, accuracy: share }).optional(),
});

/** The record of a round. */
export const roundRecordSchema = z.object({
  schemaVersion: z.literal(SCHEMA_VERSION),
  round: count,
  /** sha256 of the global model that the round started from. */
  parent: hash,
  selected: z.array(count),
  /** Fewest good updates that the round goes on with. */
  quorum: count.optional(),
  /** The rate that the clients trained with. */
  learningRate: z.number().optional(),
  reported: z.array(clientRecordSchema),
  /** Updates that did not count: by client, or by file where the name is not that of a client's update. */
  rejected: z.array(
    z.union([
      z.object({ client: count, reason: z.string() }),
      z.object({ file: z.string(), reason: z.string() }),
    ]),
  ),
  /** Selected clients that crashed, refused or were late. Final once the round is aggregated; tried again until then. */
  missing: z.array(z.object({ client: count, reason: z.string() })),
  /** Where the clients were simulated: on what, by how many workers side by side. */
  simulated: z.object({ engine: z.string(), jobs: count }).optional(),
  aggregate: z
    .object({
      /** sha256 over the hashes of the parent and of all updates: says what the model was made from. */
      inputs: hash,
      updates: count,
      examples: count,
      seconds: z.number(),
      /** Of the global model that the round ends with. */
      sha256: hash,
      /** sha256 of the server optimizer's state that belongs to it. */
      state: hash.optional(),
      /** Spent by this round and all before it. */
      privacy: privacySpentSchema.optional(),
    })
    .optional(),
  /** Why the last attempt to aggregate made no global model. */
  failure: z.object({ stage: z.literal('aggregate'), reason: z.string() }).optional(),
  evaluation: z
    .object({
      /** sha256 of the evaluated model and of the test examples. */
      model: hash,
      test: hash,
      examples: count,
      loss,
      accuracy: share,
      seconds: z.number(),
    })
    .optional(),
  /** Wall-clock seconds of the whole round, by its steps; of the last attempt, where it was interrupted. */
  seconds: z.object({ train: z.number(), aggregate: z.number(), evaluate: z.number() }).optional(),
});

/** Everything that a run's result depends on; two runs of equal settings give the same bytes. */
export type RunSettings = z.infer<typeof runSettingsSchema>;
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

/** Writes either record atomically. */
export function writeRecord(path: string, record: RunRecord | RoundRecord): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(record, null, 2)}\n`);
}

async function readRecord<T>(path: string, schema: z.ZodType<T>, what: string): Promise<T> {
  const text = new TextDecoder().decode(await readFileBytes(path, what));
  return parseDocument(text, { schema, file: path, expected: what });
}
