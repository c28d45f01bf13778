/** A sweep from its plan to its record: trials side by side, those that are done recognised, hopeless ones stopped. */
import { join } from 'node:path';
import { InterruptedError, isFedbatchError, messageOf, UsageError } from '../lib/core/errors.js';
import { scoreOfFigure } from '../lib/federation/metrics.js';
import { removeTemporaryFiles, writeFileAtomic, writeWhile } from '../lib/formats/files/atomic-file.js';
import { takeLock } from '../lib/formats/files/lock-file.js';
import { exists } from '../lib/formats/files/read-file.js';
import { type Reporter, type RoundEvent, silentReporter } from '../lib/observability/events.js';
import { formatDuration, roundTo } from '../lib/observability/format.js';
import { forMany } from '../lib/system/abort.js';
import { createSlots } from '../lib/system/slots.js';
import { type RunResult, resultFacts, shortPath } from '../pipeline/rounds/summary.js';
import type { StageContext } from '../pipeline/rounds/target.js';
import { rangeOf, rowKey, titleOf, valuesOfAxis } from './axes.js';
import { renderSweepPage } from './page/page.js';
import type { SweepPlan, Trial } from './plan.js';
import { type Course, hopelessAfter } from './ranking.js';
import {
  newSweepRecord,
  readSweepRecord,
  type SweepRecord,
  type TrialRecord,
  writeSweepRecord,
} from './sweep-record.js';

/** How a sweep ended: failed where one of its trials has. */
export type SweepEnding = 'finished' | 'failed' | 'interrupted';

/** Runs trials, wherever that is. */
export interface TrialRunner {
  /** Runs one to its end, or what an earlier attempt left of it. */
  run(trial: Trial, context: StageContext): Promise<RunResult>;
  /** Whether what lies there of a trial that was finished is still the trial's. */
  holds(trial: Trial): Promise<boolean>;
  /** Hears of the sweep before its trials; what it returns hears how all ended. */
  follow?(record: SweepRecord, context: StageContext): (state: SweepEnding) => Promise<void>;
  /** Ends what goes on of a trial that was stopped as hopeless, where its signal alone does not. */
  abandon?(trial: Trial, context: StageContext): Promise<void>;
}

/** What to run, and how. */
export interface SweepOptions {
  readonly plan: SweepPlan;
  /** Where `sweep.json` and the page lie. */
  readonly directory: string;
  readonly runner: TrialRunner;
  /** Trials side by side. */
  readonly parallel: number;
  /** Rounds after which hopeless trials are stopped; without it none is. */
  readonly medianRule?: number | undefined;
  /** Start all trials over. */
  readonly fresh: boolean;
}

/** Paths of a sweep's own files. */
export const sweepPaths = (directory: string) => ({
  record: join(directory, 'sweep.json'),
  page: join(directory, 'sweep.html'),
  volume: (id: string) => join(directory, 'trials', id),
});

/**
 * Runs the trials that are not done yet. One that fails leaves the others alone.
 *
 * @throws {InterruptedError} when `signal` stopped it: what is done stays
 */
export async function runSweep(options: SweepOptions, context: StageContext): Promise<SweepRecord> {
  const { directory } = options;
  const lock = await takeLock(join(directory, '.lock'), { what: directory, user: 'sweep' });
  try {
    return await writeWhile(lock.requireHeld, () => runTrials(options, context));
  } finally {
    lock.release();
  }
}

async function runTrials(options: SweepOptions, context: StageContext): Promise<SweepRecord> {
  const { directory, parallel } = options;
  await removeTemporaryFiles(directory);
  const sweep = await openSweep(options);
  await sweep.save();
  const tellEnd = options.runner.follow?.(sweep.record, context);
  const { signal } = context;
  const failure = new AbortController();
  const over = forMany(AbortSignal.any([signal, failure.signal]));
  const slots = createSlots(parallel);
  const open = options.plan.trials.filter((trial) => sweep.of(trial).state === 'open');
  context.reporter.info(opening(options, open.length));
  const turns = open.map((trial) =>
    slots.use(async () => {
      if (over.aborted) return;
      try {
        await runTrial(trial, { sweep, options, context: { ...context, signal: over } });
      } catch (error) {
        // A bug, or a disk that takes no record: the others are stopped.
        failure.abort(error);
      }
    }),
  );
  await Promise.all(turns);
  const hasFailed = failure.signal.aborted || sweep.record.trials.some(({ state }) => state === 'failed');
  await tellEnd?.(signal.aborted ? 'interrupted' : hasFailed ? 'failed' : 'finished');
  if (failure.signal.aborted) throw failure.signal.reason;
  if (signal.aborted) {
    throw new InterruptedError(
      `Interrupted. What is finished stays in ${shortPath(directory)}; the same command resumes from there.`,
    );
  }
  return sweep.record;
}

/** A sweep at work. */
interface OpenSweep {
  readonly record: SweepRecord;
  of(trial: Trial): TrialRecord;
  /** Puts what is new of a trial on record. */
  set(trial: Trial, changes: Partial<TrialRecord>): Promise<void>;
  save(): Promise<void>;
}

/** Takes up what is done of an earlier attempt. @throws {UsageError} where the directory holds something else */
async function openSweep({ plan, directory, runner, medianRule, fresh }: SweepOptions): Promise<OpenSweep> {
  const paths = sweepPaths(directory);
  if (await exists(join(directory, 'run.json'))) {
    throw new UsageError(`${directory} is the volume of a run: choose another directory with --out.`);
  }
  const earlier = !fresh && (await exists(paths.record)) ? await readSweepRecord(paths.record) : undefined;
  const trials: TrialRecord[] = [];
  for (const trial of plan.trials) {
    const before = earlier?.trials.find(({ id }) => id === trial.id);
    const isDone =
      before?.state === 'finished'
        ? await runner.holds(trial)
        : before?.state === 'stopped' && medianRule !== undefined;
    const { number, id, values, settings } = trial;
    const own = { number, id, values: { ...values }, seed: settings.seed };
    trials.push(
      isDone && before !== undefined ? { ...before, ...own } : { ...own, state: 'open', course: [] },
    );
  }
  const record = newSweepRecord({
    id: plan.id,
    search: plan.search,
    ...(medianRule === undefined ? {} : { medianRule }),
    axes: plan.axes.map((axis) => {
      const range = rangeOf(axis);
      const among = range === undefined ? { values: [...valuesOfAxis(axis)] } : { range };
      return { place: axis.place, name: axis.name, ...among };
    }),
    trials,
  });
  if (earlier !== undefined) record.createdAt = earlier.createdAt;
  // One after the other: of two at once the older could come last.
  let saved: Promise<void> = Promise.resolve();
  const of = (trial: Trial) => trials[trial.number - 1] as TrialRecord;
  const save = () => {
    saved = saved.then(async () => {
      await writeSweepRecord(paths.record, record);
      await writeFileAtomic(paths.page, renderSweepPage(record));
    });
    return saved;
  };
  return {
    record,
    of,
    save,
    async set(trial, changes) {
      Object.assign(of(trial), changes);
      await save();
    },
  };
}

/** What trials share. */
interface AtWork {
  readonly sweep: OpenSweep;
  readonly options: SweepOptions;
  readonly context: StageContext;
}

/** Runs a trial and puts on record how it ended. @throws what is no expected failure */
async function runTrial(trial: Trial, { sweep, options, context }: AtWork): Promise<void> {
  const { plan, medianRule } = options;
  const { reporter, signal } = context;
  const own = new AbortController();
  const record = sweep.of(trial);
  const title = `trial ${trial.number}/${plan.trials.length}  ${titleOf(trial.values, plan.axes)}`;
  const onRound = (event: RoundEvent) => {
    record.metric = event.metric;
    record.course[event.round - 1] = finite(event.value);
    if (event.isSettled) return;
    reporter.step(
      `${title}  round ${event.round}/${event.rounds}: ${event.metric} ${event.value.toFixed(4)}`,
    );
    if (medianRule === undefined || event.round >= event.rounds) return;
    const others = sweep.record.trials.filter(({ number }) => number !== trial.number).map(courseOf);
    const verdict = hopelessAfter(courseOf(record), others, { warmUp: medianRule });
    if (verdict === undefined) return;
    // Turned around twice, a value is itself.
    const { metric } = event;
    const middle = scoreOfFigure({ metric, value: verdict.median }).toFixed(4);
    own.abort(
      new InterruptedError(
        `Stopped by the median rule: ${event.metric} ${event.value.toFixed(4)} after round ${event.round}, the median ` +
          `of ${verdict.rivals} other trials there is ${middle}.`,
      ),
    );
  };
  record.course = [];
  try {
    const result = await options.runner.run(trial, {
      reporter: trialReporter(reporter, { title, trial: trial.number, onRound }),
      signal: forMany(AbortSignal.any([signal, own.signal])),
    });
    await sweep.set(trial, finished(result, record));
    const value = record.course.at(-1)?.toFixed(4) ?? 'not finite';
    const best = isBestSoFar(record, sweep.record) ? '  best so far' : '';
    reporter.info(`${title}  ${record.metric} ${value}  ${formatDuration(result.seconds.total)}${best}`);
  } catch (error) {
    if (signal.aborted) return;
    if (own.signal.aborted) {
      const reason = messageOf(own.signal.reason);
      await options.runner.abandon?.(trial, context);
      await sweep.set(trial, { state: 'stopped', reason });
      reporter.info(`${title}  ${reason}`);
      return;
    }
    if (!isFedbatchError(error)) throw error;
    await sweep.set(trial, { state: 'failed', reason: error.message });
    reporter.warn(`${title}  failed: ${error.message}`);
  } finally {
    reporter.close({ stage: 'train', trial: trial.number });
  }
}

function finished(result: RunResult, { course }: TrialRecord): Partial<TrialRecord> {
  const { loss, metrics, best, seconds, sha256 } = resultFacts(result);
  return {
    state: 'finished',
    loss,
    ...(metrics === undefined ? {} : { metrics }),
    best: { round: best.round, value: course[best.round - 1] ?? null },
    seconds: roundTo(seconds.total, 3),
    sha256,
  };
}

/** Whether a finished trial ended better than all that others have finished; the only one is not called the best. */
function isBestSoFar(trial: TrialRecord, { trials }: SweepRecord): boolean {
  const others = trials.filter(({ number, state }) => number !== trial.number && state === 'finished');
  const scoreOf = (of: TrialRecord) => courseOf(of).scores.at(-1) ?? Number.NEGATIVE_INFINITY;
  return others.length > 0 && others.every((other) => scoreOf(other) < scoreOf(trial));
}

const finite = (value: number) => (Number.isFinite(value) ? value : null);

function courseOf(trial: TrialRecord): Course {
  const { metric = 'loss', course } = trial;
  return {
    row: rowKey(trial),
    scores: course.map((value) => scoreOfFigure({ metric, value: value ?? Number.NaN })),
  };
}

/** A trial tells its rounds, how far they are, and its warnings; its clients would drown the other trials. */
function trialReporter(
  reporter: Reporter,
  {
    title,
    trial,
    onRound,
  }: { readonly title: string; readonly trial: number; readonly onRound: (event: RoundEvent) => void },
): Reporter {
  return {
    ...silentReporter,
    warn: (message, fields) => reporter.warn(`${title}: ${message}`, fields),
    progress(event) {
      if (event.stage === 'train' && event.client === undefined) reporter.progress({ ...event, trial });
    },
    round: onRound,
    close: (source) => reporter.close({ stage: 'train', ...source, trial }),
  };
}

function opening({ plan, directory, parallel }: SweepOptions, open: number): string {
  const { length } = plan.trials;
  const done = length - open;
  const before = done === 0 ? '' : `, ${done} of them done before`;
  return `Sweep ${shortPath(directory)}: ${length} trial${length === 1 ? '' : 's'}${before}, ${parallel} at a time`;
}
