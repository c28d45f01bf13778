/** How a run stands, from the files of its volume alone: what works, what came of it so far, or why it is over. */
import { readdir } from 'node:fs/promises';
import { z } from 'zod';
import { DataError, ExitCode } from '../../core/errors.js';
import { bestRound, targetOf } from '../../federation/early-stop.js';
import { leadingFigure } from '../../federation/metrics.js';
import { countField as count, lossField as loss } from '../fields.js';
import { type HeldLock, lockHolder } from '../files/lock-file.js';
import { exists } from '../files/read-file.js';
import {
  type RoundRecord,
  type RunRecord,
  readRoundRecord,
  readRunRecord,
  runRecordSchema,
} from '../run-record.js';
import { placeOfFailure, runFailureSchema } from '../run-results.js';
import { roundsAmong, type VolumePaths, volumePaths } from '../volume.js';
import { type RunSessions, readSessions } from './sessions.js';

/** `state` of a run. */
export const runStateField = z
  .enum(['running', 'begun', 'stopped', 'finished', 'failed', 'interrupted'])
  .describe(
    'How the last session stands: `running`, its process lives; `begun`, it is not over, and whether it is at work cannot ' +
      'be told from here (another machine or container, a cluster); `stopped`, its process is no more and left no end; ' +
      '`interrupted`, it was asked to stop; or it has `finished` or `failed`.',
  );

const { id, name, tags, createdAt } = runRecordSchema.shape;

const figure = {
  round: count,
  metric: z.string().describe('The metric that leads the task, or that of the target.'),
  value: z.number().nullable(),
};

/** `status --json`. */
export const runStatusSchema = z
  .object({
    id: id.optional(),
    ...{ name, tags },
    createdAt: createdAt.optional(),
    volume: z.string().describe('Directory of the run.'),
    state: runStateField,
    why: z.string().optional().describe('Why it is in that state, where that is not plain.'),
    since: z.string().optional().describe('When the last session began (ISO 8601).'),
    ended: z.string().optional().describe('When it ended.'),
    lastEvent: z.string().optional().describe('When it told something last.'),
    seconds: z.number().optional().describe('Of the last session, until now or its end.'),
    secondsLeft: z
      .number()
      .optional()
      .describe(
        'Of one that runs: what the rounds that are left take, by the mean of those that it has done.',
      ),
    rounds: count.describe('Rounds that were tested.'),
    most: count.optional().describe('Rounds at most.'),
    now: z
      .object({
        stage: z.enum(['split', 'train', 'aggregate', 'evaluate', 'end']),
        round: count.optional(),
        selected: count.optional().describe('Clients of the round.'),
        reported: count.optional(),
        missing: count.optional(),
      })
      .optional()
      .describe('What runs, or what ran last where the session came to no end.'),
    last: z
      .object({ ...figure, loss })
      .optional()
      .describe('What the last test found.'),
    best: z.object(figure).optional().describe('The best of all tests.'),
    process: z
      .object({
        pid: z.int(),
        host: z.string(),
        since: z.string(),
        life: z.enum(['alive', 'dead', 'unknown']).describe('As far as can be told from here.'),
      })
      .optional()
      .describe('Who holds the volume.'),
    failure: runFailureSchema.optional(),
    notes: z.array(z.string()).readonly().describe('What of its files could not be read, a sentence each.'),
  })
  .meta({ title: 'Result of status', description: 'How a run stands.' });

/** How a run stands. */
export type RunStatus = Readonly<z.infer<typeof runStatusSchema>>;

/** What the last rounds' records tell. */
interface LastRounds {
  /** Rounds that were tested: they follow each other from 1 on. */
  readonly tested: number;
  /** The last one that was. */
  readonly last?: RoundRecord | undefined;
  /** The one after it, which is under way. */
  readonly current?: RoundRecord | undefined;
  readonly notes: readonly string[];
}

/** Reads the records of the last rounds alone: of many rounds, one or two files. */
export async function readLastRounds(paths: VolumePaths): Promise<LastRounds> {
  const names = await readdir(paths.rounds).catch(() => []);
  const notes: string[] = [];
  let current: RoundRecord | undefined;
  for (const round of roundsAmong(names).toReversed()) {
    const { record: file } = paths.round(round);
    // The folder of the round after the last holds the global model alone.
    if (!(await exists(file))) continue;
    try {
      const record = await readRoundRecord(file);
      if (record.evaluation !== undefined) return { tested: round, last: record, current, notes };
      current = record;
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      notes.push(error.message);
    }
  }
  return { tested: 0, current, notes };
}

/** How a session stands, by its events and by who holds the volume. */
export function sessionState(
  { state, start }: Pick<RunSessions, 'state' | 'start'>,
  holder: HeldLock | undefined,
): Pick<RunStatus, 'state' | 'why'> {
  if (state?.kind === 'finished') return { state: 'finished' };
  if (state?.kind === 'failed') {
    const { failure } = state;
    const isInterrupted = failure.exitCode === ExitCode.interrupted;
    const place = `${placeOfFailure(failure)}, exit code ${failure.exitCode}`;
    return {
      state: isInterrupted ? 'interrupted' : 'failed',
      why: isInterrupted ? failure.reason : `${place}: ${failure.reason}`,
    };
  }
  if (holder?.life === 'alive') return { state: 'running' };
  if (holder?.life === 'unknown') {
    const who = `process ${holder.pid} on host ${holder.host}`;
    return {
      state: 'begun',
      why: `${who} holds the volume; whether it still works cannot be told from here.`,
    };
  }
  // The steps of a run on a cluster hold the volume for moments alone.
  if (start !== undefined && start.jobs === undefined) {
    return {
      state: 'begun',
      why: 'Its steps are Jobs of a cluster: npx fedbatch k8s status tells whether they run.',
    };
  }
  const why =
    holder === undefined
      ? 'No process holds the volume, and no end is on record'
      : `Its process ${holder.pid} is no more, and left no end on record`;
  return { state: 'stopped', why: `${why}: the command that began the run resumes it.` };
}

/**
 * Reads how the run on a volume stands. Of files that are damaged, half-written or of another version it says so, and
 * tells what the others do.
 *
 * @throws {DataError} where nothing there tells of a run
 */
export async function readRunStatus(volume: string, now: Date = new Date()): Promise<RunStatus> {
  const paths = volumePaths(volume);
  // Before the events are read: a run that ends says so before it lets go of its volume.
  const holder = await lockHolder(paths.lock);
  const sessions = await readSessions(paths.metrics);
  const { run, fault } = await readRunRecord(paths.run).then(
    (record) => ({ run: record, fault: undefined }),
    (error: unknown) => {
      if (error instanceof DataError && sessions.start !== undefined) return { run: undefined, fault: error };
      throw error;
    },
  );
  const rounds = await readLastRounds(paths);
  const found = sessionState(sessions, holder);
  const { start, state, lastTime } = sessions;
  const isOver = state !== undefined && state.kind !== 'begun';
  const most = run?.settings.federation.rounds ?? start?.settings?.federation.rounds;
  const until = isOver ? new Date(state.time) : found.state === 'running' ? now : new Date(lastTime ?? now);
  const seconds = start && Math.max(0, Math.round((until.getTime() - Date.parse(start.time)) / 100) / 10);
  return {
    id: run?.id ?? start?.id,
    ...{ name: run?.name, tags: run?.tags, createdAt: run?.createdAt, volume },
    ...found,
    ...{ since: start?.time, ended: isOver ? state.time : undefined, lastEvent: lastTime, seconds },
    secondsLeft: found.state === 'running' ? secondsLeft(sessions, rounds.tested, most) : undefined,
    ...{ rounds: rounds.tested, most },
    now: isOver ? undefined : stageOf(rounds, { most, isSplit: await exists(paths.manifest) }),
    ...resultsOf(run, sessions, rounds),
    process: holder,
    failure: state?.kind === 'failed' ? runFailureSchema.parse(state.failure) : undefined,
    notes: [...(fault === undefined ? [] : [fault.message]), ...sessions.notes, ...rounds.notes],
  };
}

function secondsLeft({ roundSeconds }: RunSessions, tested: number, most: number | undefined) {
  if (roundSeconds.length === 0 || most === undefined) return undefined;
  const mean = roundSeconds.reduce((sum, each) => sum + each, 0) / roundSeconds.length;
  return Math.round(mean * Math.max(0, most - tested) * 10) / 10;
}

function stageOf(
  { tested, current }: LastRounds,
  { most, isSplit }: { readonly most: number | undefined; readonly isSplit: boolean },
): RunStatus['now'] {
  if (!isSplit) return { stage: 'split' };
  if (current === undefined)
    return tested === most ? { stage: 'end' } : { stage: 'train', round: tested + 1 };
  const { round, selected, reported, missing, aggregate } = current;
  const clients = { selected: selected.length, reported: reported.length, missing: missing.length };
  const isTrained = reported.length + missing.length >= selected.length;
  const stage = aggregate !== undefined ? 'evaluate' : isTrained ? 'aggregate' : 'train';
  return { stage, round, ...clients };
}

function resultsOf(run: RunRecord | undefined, { tests }: RunSessions, { last }: LastRounds) {
  const target = run && targetOf(run.settings.federation);
  const figureOf = (test: (typeof tests)[number]) => {
    const { metric, value } = leadingFigure(test, target);
    return { round: test.round, metric, value: Number.isNaN(value) ? null : value };
  };
  const newest =
    last?.evaluation === undefined ? tests.at(-1) : { ...last.evaluation, round: last.round, time: '' };
  const best = tests[bestRound(tests, run?.settings.federation ?? { rounds: 0 }) - 1];
  return {
    last: newest && { ...figureOf(newest), loss: newest.loss },
    best: best && figureOf(best),
  };
}
