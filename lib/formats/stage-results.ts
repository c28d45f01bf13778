/** What the programs of stages, of datasets and of predictions report at their end, in the last line of stdout or in a result file. */
import { z } from 'zod';
import { acrossClientsSchema, heldOutTestSchema } from './accuracy-record.js';
import {
  countField,
  hashField,
  leadsField,
  lossField,
  metricsField,
  privacySpentSchema,
  shareField,
} from './fields.js';

const seconds = z.number().describe('Seconds from the start of the program to its result.');

const modelHash = hashField.describe("Of the model's file.");

/** `split`: the shards that were made. */
export const splitResultSchema = z
  .object({
    shards: countField.describe('Shards, one for each client.'),
    examples: countField.describe('Examples in all shards.'),
    test: countField.describe('Held-out examples.'),
    seconds,
    savedir: z.string().describe('Directory of the shards.'),
    skipped: z.boolean().describe('Whether an earlier run had made the same split.'),
  })
  .meta({ title: 'Result of split', description: 'What a split made.' });

/** `split --check`: what a split would make. */
export const splitCheckSchema = z
  .object({ shards: countField.describe('Shards that the split would make.') })
  .meta({ title: 'Result of split --check', description: 'What a split would make.' });

/** `init`: the initial model. */
export const initResultSchema = z
  .object({
    model: z.string().describe('Name of the model, or of the file that it came in.'),
    parameters: countField.describe('Its parameters.'),
    sha256: modelHash,
  })
  .meta({ title: 'Result of init', description: 'The initial model.' });

/** `init-task`: the example of a task. */
export const initTaskResultSchema = z
  .object({ file: z.string().describe('The file that was written.') })
  .meta({ title: 'Result of init-task', description: 'The example of a task that was written.' });

const epochSchema = z.object({
  epoch: countField.min(1),
  loss: lossField.describe('Mean over its examples; null where it is not finite.'),
  accuracy: shareField.optional(),
  examples: countField.describe('Examples that it trained on: fewer than all where steps ended within it.'),
  seconds: z.number(),
});

/** `epochs` of a training. */
export const epochsField = z
  .array(epochSchema)
  .optional()
  .describe(
    'What each epoch came to; absent where there was one, whose figures are those of the training, and where ' +
      'there was no room for them on a cluster.',
  );

/** What the clients of one pod came to, one after the other; `result` is what each of them reports. */
export const inTurnResultSchema = <T>(result: z.ZodType<T>) =>
  z.object({
    clients: z.array(
      z.union([
        z.object({ client: countField, result }),
        z.object({ client: countField, reason: z.string(), exitCode: z.number().optional() }),
      ]),
    ),
  });

/** How one of them ended. */
export type ToldInTurn<T> = z.infer<ReturnType<typeof inTurnResultSchema<T>>>['clients'][number];

/** `train`: one client's training. */
export const trainResultSchema = z
  .object({
    client: countField.describe('Number of the client, from 0.'),
    round: countField.min(1).describe('Number of the round, from 1.'),
    examples: countField.min(1).describe("The client's examples: the weight of its update."),
    seconds: z.number().describe('Seconds from the start of the program to the written update.'),
    loss: lossField.describe('Mean training loss over the last epoch; null where it is not finite.'),
    accuracy: shareField
      .optional()
      .describe('Mean training accuracy over the last epoch; absent where no answer is simply right.'),
    engine: z.string().describe('What the training ran on, e.g. `onnx/cpu with blocks of 16`.'),
    sha256: hashField.describe("Of the update's file."),
    heldOut: heldOutTestSchema.optional(),
    epochs: epochsField,
  })
  .meta({ title: 'Result of train', description: "One client's training, whose update is written." });

/** A file that did not count as an update. */
export const rejectionSchema = z.object({
  file: z.string().describe('Path of the file.'),
  reason: z.string().describe('Why it does not count.'),
});

/** What was found out about an update that counts. */
export const updateMeasureFields = {
  norm: z
    .number()
    .nonnegative()
    .describe(
      'How far the client went: the Euclidean norm of the difference of its weights from those of the global model.',
    ),
  cosine: z
    .number()
    .min(-1)
    .max(1)
    .optional()
    .describe(
      'Cosine of the angle between that difference and the mean one of the round, weighted by examples: 1 where it points ' +
        'the same way, below 0 where it points back. Of more updates than memory holds it is estimated.',
    ),
} as const;

/** `clients` of an aggregation. */
export const measuresField = z
  .array(z.object({ client: countField.describe('Number of the client, from 0.'), ...updateMeasureFields }))
  .readonly()
  .optional()
  .describe(
    'How far the updates that count went and how well they agree; absent without a parent, of groups, of private rounds, and where ' +
      'there was no room for them on a cluster.',
  );

/** `clipNorm` of an aggregation. */
export const clipNormField = z
  .number()
  .nonnegative()
  .optional()
  .describe('The norm that the updates were clipped to, where that is the median of their norms.');

/** `aggregate`: the next global model, or a group's sums. */
export const aggregateResultSchema = z
  .object({
    updates: countField.describe('Updates that count.'),
    examples: countField.describe('Their examples in total, which are the weights of the average.'),
    rejected: z.array(rejectionSchema).readonly().describe('Files that do not count.'),
    sha256: hashField.describe('Of the file that was written.'),
    state: hashField
      .optional()
      .describe("Of the file of the server optimizer's state, where one was asked for."),
    privacy: privacySpentSchema
      .optional()
      .describe('Spent after this round, where rounds were private and all alike.'),
    clipNorm: clipNormField,
    clients: measuresField,
    seconds,
  })
  .meta({ title: 'Result of aggregate', description: 'The next global model, or the sums of a group.' });

const evaluation = z.object({
  accuracy: shareField.optional().describe('Share of right answers, where one can be right.'),
  loss: lossField.describe('Mean loss, by default the cross-entropy; null where it is not finite.'),
  task: z.string().optional().describe('What is learned, where that is not classification.'),
  metrics: metricsField.optional(),
  leads: leadsField.optional(),
  examples: countField.describe('Held-out examples.'),
  acrossClients: acrossClientsSchema
    .optional()
    .describe(
      'Of the clients that were tested each: how the loss spreads over them, and the metric that leads.',
    ),
});

const clientResult = {
  client: countField.describe('Number of the client, from 0: its rank.'),
  seconds: z.number().describe('Seconds from the start of the command to its end.'),
  result: z
    .unknown()
    .describe('What the command wrote to FEDBATCH_RESULT, else what it printed: JSON, or a text.'),
};

/** `as-client`: what a command came to. It is taken whole, or not at all. */
export const asClientResultSchema = z
  .strictObject(clientResult)
  .meta({ title: 'Result of as-client', description: 'What a command came to as one client.' });

/** `each`: what a command came to as each client. */
export const eachResultSchema = z
  .object({
    clients: countField.min(1).describe('Clients that the command was run as.'),
    results: z
      .array(
        z.union([
          z.strictObject(clientResult),
          z.strictObject({
            client: countField.describe('A client whose command came to nothing.'),
            reason: z.string().describe('Why, in one line.'),
          }),
        ]),
      )
      .readonly()
      .describe('One of each client, in the order of their numbers.'),
  })
  .meta({ title: 'Result of each', description: 'What a command came to as each of the clients.' });

/** `evaluate` of one model; of several, each one's. */
export const evaluateResultSchema = evaluation.meta({
  title: 'Result of evaluate',
  description: 'What the result file holds after the test of one model; accuracy.json tells more.',
});

/** `evaluate` of several models. */
export const evaluateResultsSchema = z
  .object({ models: z.array(evaluation).describe('In the order in which the models were given.') })
  .meta({ title: 'Result of evaluate, several models', description: 'What the result file holds then.' });

/** `dataset digits` and `dataset mnist`. */
export const datasetResultSchema = z
  .object({
    file: z.string().describe('The dataset.'),
    sizeBytes: countField,
    sha256: hashField.describe('Of the file.'),
    seconds,
    skipped: z.boolean().describe('Whether the file was there before.'),
  })
  .meta({ title: 'Result of dataset', description: 'A dataset that was generated or downloaded.' });

/** `predict`. */
export const predictionSchema = z
  .object({
    prediction: countField.describe('The most probable class.'),
    probabilities: z.array(shareField).readonly().describe('Of every class, from class 0.'),
  })
  .meta({ title: 'Result of predict', description: "A server's answer about one picture." });

/** What a split made. */
export type SplitSummary = Readonly<z.infer<typeof splitResultSchema>>;
/** What an epoch of a training came to. */
export type EpochRecord = Readonly<z.infer<typeof epochSchema>>;
/** The seeded initial model. */
export type InitResult = Readonly<z.infer<typeof initResultSchema>>;
/** One client's training, whose update is written. */
export type TrainResult = Readonly<z.infer<typeof trainResultSchema>>;
/** A file that did not count as an update, and why. */
export type Rejection = Readonly<z.infer<typeof rejectionSchema>>;
/** The next global model, or the sums of a group. */
export type AggregateResult = Readonly<z.infer<typeof aggregateResultSchema>>;
/** What a command came to as one client. */
export type AsClientResult = Readonly<z.infer<typeof asClientResultSchema>>;
/** What it came to as each of them. */
export type EachResult = Readonly<z.infer<typeof eachResultSchema>>;
/** What the test of one model found. */
export type EvaluateResult = Readonly<z.infer<typeof evaluateResultSchema>>;
/** The same of several models. */
export type EvaluateResults = Readonly<z.infer<typeof evaluateResultsSchema>>;
/** A dataset that was generated or downloaded. */
export type DatasetResult = Readonly<z.infer<typeof datasetResultSchema>>;
/** A server's answer about one picture. */
export type Prediction = Readonly<z.infer<typeof predictionSchema>>;
