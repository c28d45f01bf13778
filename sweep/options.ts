/** The options that sweeps have in common, wherever their trials run; what they ask for; what a sweep prints at its end. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { integerOption, jsonOption, MAX_THREADS } from '../lib/cli/options.js';
import { StageError, UsageError } from '../lib/core/errors.js';
import type { AskedSettings } from '../lib/settings/complete.js';
import { askedByFlagsAndFile, withoutReplaced } from '../lib/settings/config-file.js';
import { addSettings, type CommandSettings } from '../lib/settings/options.js';
import type { RunSettings } from '../lib/settings/table.js';
import { type Axis, parseAxis, titleOf } from './axes.js';
import type { SweepPlan } from './plan.js';
import type { Search } from './search.js';
import type { SweepRecord, SweepResult } from './sweep-record.js';

/** What the options of {@link addSweepOptions} parse to. */
export interface SweepFlags {
  readonly grid: readonly Axis[];
  readonly random?: number;
  readonly sobol?: number;
  readonly file?: string;
  readonly medianRule?: number;
  readonly parallel?: number;
  readonly out?: string;
  readonly fresh?: true;
  readonly json?: true;
}

/** Columns of the table where the output is no terminal. */
const PLAIN_WIDTH = 80;

/** Adds what a sweep takes: axes, search, and the settings of its trials. */
export function addSweepOptions(command: Command, settings: CommandSettings): Command {
  command
    .optionsGroup('Sweep:')
    .addOption(
      new Option(
        '--grid <setting=values>',
        'an axis: a setting and its values, with commas between (semicolons where values have commas), or a range of ' +
          'numbers such as 0..1 or log:1e-4..1e-1; given again for each axis; seed repeats each combination',
      )
        .argParser(addAxis)
        .default([], 'none'),
    )
    .option('--random <count>', 'so many combinations at random in place of all', integerOption({ min: 1 }))
    .option(
      '--sobol <count>',
      "so many combinations, spread evenly over the axes by Sobol's sequence",
      integerOption({ min: 1 }),
    )
    .option('--file <yaml>', 'axes, search and settings from a file, YAML or JSON; flags win')
    .option(
      '--median-rule <rounds>',
      'after so many rounds, stop trials whose metric is worse than the median of the others at the same round',
      integerOption({ min: 1 }),
    )
    .option(
      '--parallel <count>',
      'trials side by side (default: 1)',
      integerOption({ min: 1, max: MAX_THREADS }),
    )
    .option('--out <dir>', "directory of the sweep's files here (default: sweeps/<sweep id>)")
    .option('--fresh', 'start all trials over')
    .addOption(jsonOption());
  return addSettings(command, settings);
}

/** @throws {InvalidArgumentError} for what is no axis, and a setting that is one already */
function addAxis(text: string, before: readonly Axis[]): readonly Axis[] {
  try {
    const axis = parseAxis(text);
    if (before.some(({ name }) => name === axis.name)) {
      throw new UsageError(`${axis.name} is an axis already: give all of its values at once.`);
    }
    return [...before, axis];
  } catch (error) {
    if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}

/** A sweep as flags and file ask for it. */
export interface AskedSweep {
  readonly plan: SweepPlan;
  readonly medianRule: number | undefined;
  readonly parallel: number;
}

/**
 * The sweep that a command line asks for; flags win over its file.
 *
 * @param settingsOf the settings of a run as asked for
 * @throws {UsageError} without an axis, for two ways to search, and for trials whose settings do not go together
 */
export async function askedSweep(
  command: Command,
  settings: CommandSettings,
  settingsOf: (asked: AskedSettings) => Promise<RunSettings>,
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

/** Where a sweep lies, and how it tells of its end. */
interface Telling {
  readonly directory: string;
  readonly isJson: boolean;
  /** For people, where stdout is for programs. */
  print(text: string): void;
}

/** Prints the ranking. @throws {StageError} where trials failed */
export async function tellSweep(
  record: SweepRecord,
  { directory, isJson, print: aside }: Telling,
): Promise<void> {
  const { formatRanking, meanText, ranked } = await import('./ranking.js');
  const { sweepPaths } = await import('./run-sweep.js');
  const { shortPath } = await import('../pipeline/rounds/summary.js');
  const rows = ranked(record);
  const { page } = sweepPaths(directory);
  const print = (text: string) => (isJson ? aside(text) : process.stdout.write(`${text}\n`));
  print(`\n${formatRanking(rows, { axes: record.axes, width: process.stdout.columns ?? PLAIN_WIDTH })}\n`);
  const [best] = rows;
  if (best?.state === 'finished') {
    const first = record.trials.find(({ number }) => number === best.trials[0]);
    print(
      `best    ${titleOf(best.values, record.axes)}: ${best.metric} ${meanText(best)}, in trials/${first?.id}`,
    );
  }
  print(`page    ${shortPath(page)}`);
  const count = (state: string) => record.trials.filter((trial) => trial.state === state).length;
  const result: SweepResult = {
    ...{ id: record.id, directory, page },
    ...{ finished: count('finished'), stopped: count('stopped'), failed: count('failed') },
    ranking: [...rows],
  };
  if (isJson) process.stdout.write(`${JSON.stringify(result)}\n`);
  const failed = record.trials.filter(({ state }) => state === 'failed');
  const [first] = failed;
  if (first === undefined) return;
  const others = failed.length === 1 ? '' : ` and ${failed.length - 1} more`;
  throw new StageError('sweep', `trial ${first.number}${others} failed: ${first.reason}`);
}
