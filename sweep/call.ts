/** A sweep from its command line to its end: what is asked for, its trials, the ranking that it prints. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type OutcomeWriter, outcomeWriter } from '../lib/cli/result.js';
import { StageError, UsageError } from '../lib/core/errors.js';
import type { AskedSettings } from '../lib/settings/complete.js';
import { askedByFlagsAndFile, withoutReplaced } from '../lib/settings/config-file.js';
import type { CommandSettings } from '../lib/settings/options.js';
import type { RunSettings } from '../lib/settings/table.js';
import type { StageContext } from '../pipeline/rounds/target.js';
import { titleOf } from './axes.js';
import type { SweepFlags } from './options.js';
import type { SweepPlan } from './plan.js';
import type { TrialRunner } from './run-sweep.js';
import type { Search } from './search.js';
import type { SweepRecord, SweepResult } from './sweep-record.js';

/** Columns of the table where the output is no terminal. */
const PLAIN_WIDTH = 80;

/** A sweep as flags and file ask for it. */
interface AskedSweep {
  readonly plan: SweepPlan;
  readonly medianRule: number | undefined;
  readonly parallel: number;
}

/** What a place where trials run adds to the options that all sweeps have. */
interface SweepCall {
  /** Settings of its trials. */
  readonly settings: CommandSettings;
  /** The settings of a run as asked for; it refuses what does not go together. */
  settingsOf(asked: AskedSettings): Promise<RunSettings>;
  /** What runs the trials of a sweep that lies in `directory`. */
  runnerOf(
    sweep: AskedSweep & { readonly directory: string; readonly fresh: boolean },
  ): TrialRunner | Promise<TrialRunner>;
}

/**
 * Runs the sweep that a command line asks for, and prints what came of it.
 *
 * @throws {UsageError} for what does not go together
 * @throws {StageError} where trials failed
 */
export async function callSweep(
  command: Command,
  { runnerOf, ...call }: SweepCall,
  context: StageContext,
): Promise<void> {
  const { out, fresh = false, ...flags } = command.opts<SweepFlags>();
  const asked = await askedSweep(command, call);
  const directory = resolve(out ?? `sweeps/${asked.plan.id}`);
  const runner = await runnerOf({ ...asked, directory, fresh });
  const { runSweep } = await import('./run-sweep.js');
  const record = await runSweep({ ...asked, directory, runner, fresh }, context);
  await tellSweep(record, { directory, writer: outcomeWriter(context.reporter, flags) });
}

/**
 * The sweep that a command line asks for; flags win over its file.
 *
 * @throws {UsageError} without an axis, for two ways to search, and for trials whose settings do not go together
 */
async function askedSweep(
  command: Command,
  { settings, settingsOf }: Pick<SweepCall, 'settings' | 'settingsOf'>,
): Promise<AskedSweep> {
  const flags = command.opts<SweepFlags>();
  const asked = await askedByFlagsAndFile(command, settings);
  const known = settings.parts.flatMap((part) => part.settings);
  const { readSweepFile } = await import('./sweep-file.js');
  const file = flags.file === undefined ? undefined : await readSweepFile(flags.file, known);
  const own = flags.grid.map(({ name }) => name);
  const axes = [...(file?.axes ?? []).filter(({ name }) => !own.includes(name)), ...flags.grid];
  if (axes.length === 0) {
    throw new UsageError('A sweep needs an axis: --grid learning-rate=0.1,0.01, for example.');
  }
  const foreign = axes.find(({ setting }) => !known.includes(setting));
  if (foreign !== undefined) throw new UsageError(`${foreign.name} is no setting of these trials.`);
  const left = withoutReplaced(file?.given ?? {}, asked.given, known);
  const base = { given: { ...left, ...asked.given }, named: asked.named };
  const isFlagged = flags.random !== undefined || flags.sobol !== undefined;
  const search = searchOf(isFlagged ? flags : (file ?? {}));
  const { planSweep } = await import('./plan.js');
  const plan = await planSweep({ base, axes, search, settingsOf });
  const { medianRule = file?.medianRule, parallel = file?.parallel ?? 1 } = flags;
  return { plan, medianRule, parallel };
}

function searchOf({
  random,
  sobol,
}: {
  readonly random?: number | undefined;
  readonly sobol?: number | undefined;
}): Search {
  if (random !== undefined && sobol !== undefined) {
    throw new UsageError(`--random ${random} and --sobol ${sobol} contradict each other: give one of them.`);
  }
  if (random !== undefined) return { kind: 'random', count: random };
  return sobol === undefined ? { kind: 'grid' } : { kind: 'sobol', count: sobol };
}

/** Where a sweep lies, and who tells of its end. */
interface Telling {
  readonly directory: string;
  readonly writer: OutcomeWriter;
}

/** Prints the ranking. @throws {StageError} where trials failed */
async function tellSweep(record: SweepRecord, { directory, writer }: Telling): Promise<void> {
  const { formatRanking, meanText, ranked } = await import('./ranking.js');
  const { sweepPaths } = await import('./run-sweep.js');
  const { shortPath } = await import('../pipeline/rounds/summary.js');
  const rows = ranked(record);
  const { page } = sweepPaths(directory);
  const ranking = formatRanking(rows, { axes: record.axes, width: process.stdout.columns ?? PLAIN_WIDTH });
  const [best] = rows;
  const bestLine = () => {
    if (best?.state !== 'finished') return [];
    const first = record.trials.find(({ number }) => number === best.trials[0]);
    const what = titleOf(best.values, record.axes);
    return [`best    ${what}: ${best.metric} ${meanText(best)}, in trials/${first?.id}`];
  };
  const count = (state: string) => record.trials.filter((trial) => trial.state === state).length;
  const result: SweepResult = {
    ...{ id: record.id, directory, page },
    ...{ finished: count('finished'), stopped: count('stopped'), failed: count('failed') },
    ranking: [...rows],
  };
  const lines = ['', ranking, '', ...bestLine(), `page    ${shortPath(page)}`];
  writer.tell({ text: () => lines.join('\n'), result });
  const failed = record.trials.filter(({ state }) => state === 'failed');
  const [first] = failed;
  if (first === undefined) return;
  const others = failed.length === 1 ? '' : ` and ${failed.length - 1} more`;
  throw new StageError('sweep', `trial ${first.number}${others} failed: ${first.reason}`);
}
