/** What the programs about whole runs report at their end, and how a run failed: schemas and types. */
import { z } from 'zod';
import { ExitCode } from '../core/errors.js';
import { accuracyRecordSchema, acrossClientsSchema } from './accuracy-record.js';
import { countField, hashField, lossField, metricsField, privacySpentSchema, shareField } from './fields.js';
import { roundRecordSchema, trainedAcrossSchema } from './run-record.js';

/** The facts of a failure. */
export const runFailureSchema = z.object({
  stage: z.string().describe('E.g. `split`, `train`; `run` between two stages.'),
  round: countField.optional(),
  client: countField.optional(),
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

const modelHash = hashField.describe("Of the model's file.");

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
    acrossClients: trainedAcrossSchema
      .extend({ global: acrossClientsSchema.optional() })
      .optional()
      .describe(
        'Where clients hold examples out: how the last global model does on them, client by client, and in the last round ' +
          'the model that clients started from and their updates.',
      ),
    perClient: accuracyRecordSchema.shape.perClient.describe(
      'Of the last global model, where clients hold examples out.',
    ),
  })
  .meta({ title: 'Result of run', description: 'What a finished run came to.' });

/** `report`: the page, and how the run stands. */
export const reportResultSchema = z
  .object({
    file: z.string().describe('The page.'),
    rounds: countField.describe('Rounds on record.'),
    state: z.enum(['begun', 'finished', 'failed']).optional().describe('How the last session stands.'),
    failure: runFailureSchema.optional().describe('Why it failed.'),
    runs: countField.optional().describe('Of a page that compares several: how many.'),
  })
  .meta({ title: 'Result of report', description: 'The report that was written, and how the run stands.' });

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

/** `record --step placed`, `--step gathered`, `--step trained` and `--step tested`. */
export const recordedRoundSchema = z
  .object({ step: z.enum(['placed', 'gathered', 'trained', 'tested']), round: countField })
  .meta({
    title: 'Result of record --step placed, gathered, trained or tested',
    description: 'The round that is on record, or whose clients may begin.',
  });

/** `record --step failed`. */
export const recordedFailureSchema = z
  .object({ recorded: z.boolean().describe('False where the volume holds another run.') })
  .meta({
    title: 'Result of record --step failed',
    description: "Whether the failure is on the run's record.",
  });

/** `record --step end`: the last round. */
export const recordedEndSchema = roundRecordSchema
  .omit({ checksum: true })
  .extend({
    clients: countField.describe('Clients that reported, of which only some are listed.'),
    perClient: accuracyRecordSchema.shape.perClient.describe(
      'Of the last global model, where clients hold examples out: all of them.',
    ),
  })
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

/** What a finished run came to. */
export type RunSummary = Readonly<z.infer<typeof runResultSchema>>;
/** The report that was written. */
export type ReportResult = Readonly<z.infer<typeof reportResultSchema>>;
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
