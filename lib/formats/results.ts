/** What each program reports at its end, in the last line of stdout or in its result file, and how a run failed: schemas and types. */
import { z } from 'zod';
import { ExitCode } from '../core/errors.js';
import {
  countField as count,
  countField,
  hashField,
  lossField,
  metricsField,
  privacySpentSchema,
  shareField,
} from './fields.js';
import { roundRecordSchema } from './run-record.js';

/** The facts of a failure. */
export const runFailureSchema = z.object({
  stage: z.string().describe('E.g. `split`, `train`; `run` between two stages.'),
  round: count.optional(),
  client: count.optional(),
  exitCode: z.int().describe('Exit code of the program.'),
  reason: z.string().describe('The sentence that the user saw.'),
  next: z.string().describe('What to do, in one sentence.'),
});

/** How a session of a run failed: where, why, and what to do. */
export type RunFailure = z.infer<typeof runFailureSchema>;

const GOES_ON = 'the same command resumes from here';

const NEXT: Readonly<Record<number, string>> = {
  [ExitCode.usage]: 'Change the command as the reason says, and run it again.',
  [ExitCode.data]: `Mend the file, or the disk, that the reason names; ${GOES_ON}.`,
  [ExitCode.threshold]: `See who is missing or rejected, and why, in rounds/*/round.json; ${GOES_ON}, and --quorum or --retries let it do with less. Updates that hold NaN or Infinity ask for a smaller --learning-rate, which is another run.`,
  [ExitCode.stage]: `See to the reason; ${GOES_ON}, and what is finished is not done again.`,
  [ExitCode.interrupted]: `Nothing is lost: ${GOES_ON}.`,
};

/** What to do about a run that ended with this exit code. */
export function nextStep(exitCode: number): string {
  return (
    NEXT[exitCode] ??
    `This is a bug in fedbatch: run the same command again with --debug for the stack trace; it resumes from here.`
  );
}

/** Where it failed, e.g. `train of client 2 in round 3`. */
export function placeOfFailure({ stage, round, client }: RunFailure): string {
  const who = client === undefined ? '' : ` of client ${client}`;
  return `${stage}${who}${round === undefined ? '' : ` in round ${round}`}`;
}

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
  })
  .meta({ title: 'Result of train', description: "One client's training, whose update is written." });

/** A file that did not count as an update. */
export const rejectionSchema = z.object({
  file: z.string().describe('Path of the file.'),
  reason: z.string().describe('Why it does not count.'),
});

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
    seconds,
  })
  .meta({ title: 'Result of aggregate', description: 'The next global model, or the sums of a group.' });

const evaluation = z.object({
  accuracy: shareField.optional().describe('Share of right answers, where one can be right.'),
  loss: lossField.describe('Mean loss, by default the cross-entropy; null where it is not finite.'),
  metrics: metricsField.optional(),
  examples: countField.describe('Held-out examples.'),
});

/** `evaluate` of one model; of several, each one's. */
export const evaluateResultSchema = evaluation.meta({
  title: 'Result of evaluate',
  description: 'What the result file holds after the test of one model; accuracy.json tells more.',
});
/** `evaluate` of several models. */
export const evaluateResultsSchema = z
  .object({ models: z.array(evaluation).describe('In the order in which the models were given.') })
  .meta({ title: 'Result of evaluate, several models', description: 'What the result file holds then.' });

/** `run --json` and `k8s run --json`. */
export const runResultSchema = z
  .object({
    accuracy: shareField
      .optional()
      .describe('Of the last global model on the held-out examples, where an answer can be right.'),
    metrics: metricsField.optional(),
    loss: lossField.describe('Of the same; null where it is not finite.'),
    rounds: countField.describe('Rounds that were run.'),
    stopped: z
      .enum(['rounds', 'target', 'patience'])
      .describe('Why the run ended: all rounds done, target reached, or no better model for too long.'),
    targetReached: z.boolean().optional().describe('Whether the target was reached, where there was one.'),
    roundsToTarget: countField.optional().describe('The first round that reached it.'),
    best: z
      .object({
        round: countField,
        accuracy: shareField.optional(),
        metrics: metricsField.optional(),
        sha256: modelHash,
      })
      .describe(
        'The round with the best model, by accuracy or the metric that leads the task: best-model.h5.',
      ),
    participation: z
      .object({ selected: countField, missing: countField, rejected: countField })
      .describe('Turns of clients, over all rounds.'),
    seconds: z
      .object({
        split: z.number(),
        train: z.number(),
        aggregate: z.number(),
        evaluate: z.number(),
        total: z.number(),
      })
      .describe('Wall-clock seconds by stage.'),
    sha256: hashField.describe('Of aggregated-model.h5.'),
    volume: z.string().describe('Directory of the run; on a cluster `<claim>:<directory>`.'),
    privacy: privacySpentSchema.optional().describe('Spent by all rounds, where the run was private.'),
  })
  .meta({ title: 'Result of run', description: 'What a finished run came to.' });

/** `report`: the page, and how the run stands. */
export const reportResultSchema = z
  .object({
    file: z.string().describe('The page.'),
    rounds: countField.describe('Rounds on record.'),
    state: z.enum(['begun', 'finished', 'failed']).optional().describe('How the last session stands.'),
    failure: runFailureSchema.optional().describe('Why it failed.'),
  })
  .meta({ title: 'Result of report', description: 'The report that was written, and how the run stands.' });

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

const { round, parent, missing, rejected, aggregate, evaluation: tested } = roundRecordSchema.shape;

/** `record --step open`: what the volume holds. */
export const openedSchema = z
  .object({
    resumed: z.boolean().describe('Whether a run of the same settings lies there.'),
    initial: hashField
      .optional()
      .describe('Of the initial model, where round 1 has started from it and it lies there.'),
    rounds: z
      .array(
        z.object({
          ...{ round, parent, missing, rejected },
          selected: hashField.describe('sha256 of the list of selected clients, which may be long.'),
          ...{ aggregate: aggregate.unwrap(), evaluation: tested.unwrap() },
        }),
      )
      .readonly()
      .describe('Finished rounds, from round 1 on without gaps.'),
  })
  .meta({ title: 'Result of record --step open', description: 'What a volume holds of a run.' });

/** `record --step trained` and `--step tested`. */
export const recordedRoundSchema = z
  .object({ step: z.enum(['trained', 'tested']), round: countField })
  .meta({ title: 'Result of record --step trained or tested', description: 'The round that is on record.' });

/** `record --step failed`. */
export const recordedFailureSchema = z
  .object({ recorded: z.boolean().describe('False where the volume holds another run.') })
  .meta({
    title: 'Result of record --step failed',
    description: "Whether the failure is on the run's record.",
  });

/** `record --step end`: the last round. */
export const recordedEndSchema = roundRecordSchema
  .extend({ clients: countField.describe('Clients that reported, of which only some are listed.') })
  .meta({ title: 'Result of record --step end', description: 'The record of the last round, shortened.' });

/** `k8s status --json`. */
export const jobRowsSchema = z
  .array(
    z.object({
      run: z.string(),
      job: z.string().describe('Name of the Job.'),
      stage: z.string(),
      round: countField.nullable(),
      state: z.enum(['running', 'complete', 'failed']),
      pods: z.object({ wanted: countField, active: countField, done: countField, failed: countField }),
      seconds: z.number().describe('Since the Job started, or until it ended.'),
      note: z.string().describe('Why it has failed, or what it and its pods wait for.'),
    }),
  )
  .meta({
    title: 'Result of k8s status',
    description: "The runs' Jobs, in the order in which they were made.",
  });

/** `k8s delete`. */
export const deletedRunSchema = z
  .object({ run: z.string(), jobs: countField.describe('Jobs that were deleted.') })
  .meta({ title: 'Result of k8s delete', description: 'What was deleted of a run.' });

/** What a split made. */
export type SplitSummary = Readonly<z.infer<typeof splitResultSchema>>;
/** The seeded initial model. */
export type InitResult = Readonly<z.infer<typeof initResultSchema>>;
/** One client's training, whose update is written. */
export type TrainResult = Readonly<z.infer<typeof trainResultSchema>>;
/** A file that did not count as an update, and why. */
export type Rejection = Readonly<z.infer<typeof rejectionSchema>>;
/** The next global model, or the sums of a group. */
export type AggregateResult = Readonly<z.infer<typeof aggregateResultSchema>>;
/** What the test of one model found. */
export type EvaluateResult = Readonly<z.infer<typeof evaluateResultSchema>>;
/** The same of several models. */
export type EvaluateResults = Readonly<z.infer<typeof evaluateResultsSchema>>;
/** What a finished run came to. */
export type RunSummary = Readonly<z.infer<typeof runResultSchema>>;
/** The report that was written. */
export type ReportResult = Readonly<z.infer<typeof reportResultSchema>>;
/** A dataset that was generated or downloaded. */
export type DatasetResult = Readonly<z.infer<typeof datasetResultSchema>>;
/** A server's answer about one picture. */
export type Prediction = Readonly<z.infer<typeof predictionSchema>>;
/** What a volume holds of a run. */
export type Opened = Readonly<z.infer<typeof openedSchema>>;
/** A round that needs no second look: its model lies there, and was tested. */
export type FinishedRound = Opened['rounds'][number];
/** A round that is on record. */
export type RecordedRound = Readonly<z.infer<typeof recordedRoundSchema>>;
/** Whether a failure is on the run's record. */
export type RecordedFailure = Readonly<z.infer<typeof recordedFailureSchema>>;
/** The record of the last round, shortened. */
export type RecordedEnd = Readonly<z.infer<typeof recordedEndSchema>>;
/** One Job of a run. */
export type JobRow = Readonly<z.infer<typeof jobRowsSchema>[number]>;
/** What was deleted of a run. */
export type DeletedRun = Readonly<z.infer<typeof deletedRunSchema>>;
