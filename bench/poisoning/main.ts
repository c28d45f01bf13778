/** `npm run bench:poisoning`: attacks × strategies on MNIST, into docs/SECURITY.md. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { group } from 'd3-array';
import { integerOption, numberOption } from '../../lib/cli/options.js';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { commitOf } from '../fedavg/train-cell.js';
import { replaceSection } from '../report.js';
import { readMnist, writeBackdoorTest, writeTrialData } from './data.js';
import { addResult, type Result, readResults } from './results.js';
import { runTrial } from './run-trial.js';
import { poisoningMarkdown } from './tables.js';
import { nameOf, settingsHash, type Trial, trialsOf } from './trials.js';

const REPORT = 'docs/SECURITY.md';

interface Flags {
  readonly data: string;
  readonly results: string;
  readonly work: string;
  readonly minutes?: number;
  readonly jobs: number;
  readonly seeds: number;
  readonly run: boolean;
}

const command = new Command('bench:poisoning')
  .description(
    `run clients that attack against every strategy, and write the tables of ${REPORT}; run again, it goes on where it stopped`,
  )
  .argument('[words...]', 'only trials whose names contain all of these, such as dirichlet krum')
  .option('--data <npz>', 'MNIST as npz', process.env.FEDBATCH_MNIST ?? '../shared/datasets/mnist.npz')
  .option(
    '--results <jsonl>',
    'the journal: a line for each trial',
    join('docs', 'poisoning', 'results.jsonl'),
  )
  .option('--work <dir>', 'where data and runs lie while they are used', join('.cache', 'bench-poisoning'))
  .option('--minutes <n>', 'begin no trial after so long', numberOption({ above: 0 }))
  .option('--jobs <n>', 'trials side by side, each on one core', integerOption({ min: 1 }), 1)
  .option('--seeds <n>', 'so many seeds, from 0 on', integerOption({ min: 1 }), 3)
  .option('--no-run', 'run nothing: write the tables of what is in the journal')
  .parse();
const flags = command.opts<Flags>();
const deadline = performance.now() + (flags.minutes ?? Number.POSITIVE_INFINITY) * 60_000;
const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

if (flags.run) await runOpenTrials();
const markdown = poisoningMarkdown(await readResults(flags.results));
console.log(markdown);
await writeFileAtomic(REPORT, replaceSection(await readFile(REPORT, 'utf8'), 'poisoning', markdown));

async function runOpenTrials(): Promise<void> {
  const done = new Set((await readResults(flags.results)).map(nameOf));
  const words = command.args;
  const open = trialsOf(flags)
    .filter((trial) => !done.has(nameOf(trial)))
    .filter((trial) => words.every((word) => nameOf(trial).includes(word)));
  console.error(`${open.length} trials are to be run, ${done.size} are in ${flags.results}.`);
  if (open.length === 0) return;
  await makeDirectory(flags.work);
  const mnist = await readMnist(flags.data);
  const backdoorTest = join(flags.work, 'backdoor-test.npz');
  await writeBackdoorTest(backdoorTest, mnist);
  const commit = await commitOf('.');
  // Trials on the same data follow each other.
  for (const together of groupsOf(open)) {
    const data = join(flags.work, `data-${process.pid}.npz`);
    if (isOver()) return;
    await writeTrialData(data, mnist, together[0] as Trial);
    await runSideBySide(together, { data, backdoorTest, commit });
    await rm(data, { force: true });
  }
}

function isOver(): boolean {
  return stop.signal.aborted || performance.now() > deadline;
}

function groupsOf(trials: readonly Trial[]): readonly (readonly Trial[])[] {
  const dataOf = ({ split, attack, share, seed }: Trial) => [split, attack, share, seed].join(' ');
  return [...group(trials, dataOf).values()];
}

interface Shared {
  readonly data: string;
  readonly backdoorTest: string;
  readonly commit: string;
}

/** Takes one trial after the other, in as many lanes as there are jobs; one that fails does not end the others. */
async function runSideBySide(trials: readonly Trial[], shared: Shared): Promise<void> {
  const rest = [...trials];
  const lane = async (number: number) => {
    for (let trial = rest.shift(); trial !== undefined && !isOver(); trial = rest.shift()) {
      await record(trial, { ...shared, volume: join(flags.work, `run-${process.pid}-${number}`) });
    }
  };
  await Promise.all(Array.from({ length: flags.jobs }, (_, number) => lane(number)));
}

async function record(trial: Trial, place: Shared & { readonly volume: string }): Promise<void> {
  const { commit, ...where } = place;
  try {
    const outcome = await runTrial(trial, { ...where, signal: stop.signal });
    const date = new Date().toISOString().slice(0, 10);
    const result: Result = { ...outcome, settings: settingsHash(), commit, date };
    await addResult(flags.results, result);
    const { accuracy, backdoor, exitCode, seconds } = outcome;
    console.error(
      `${nameOf(trial)}: accuracy ${accuracy}, backdoor ${backdoor ?? '–'}, exit ${exitCode}, ${seconds} s`,
    );
  } catch (error) {
    if (stop.signal.aborted) return;
    console.error(`${nameOf(trial)}: ${(error as Error).message}`);
    process.exitCode = 1;
  } finally {
    await rm(place.volume, { recursive: true, force: true });
  }
}
