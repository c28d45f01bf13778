/** `npm run bench:fedavg`: the tables of the FedAvg paper, of FedProx, of niid_bench and our own, into docs/FEDAVG.md. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { integerOption, numberOption } from '../../lib/cli/options.js';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { replaceSection } from '../report.js';
import { program as compiled } from '../section.js';
import { CELLS, type Cell, cellArguments, TABLES, type TableName, type Trial } from './cells.js';
import { pathOf } from './datasets.js';
import { figures, sections } from './report.js';
import { attemptOf, isDone, type Results, readResults, withAttempt, writeResults } from './results.js';
import { attemptsOf, readAttempt, train, volumeOf } from './train-cell.js';

const REPORT = 'docs/FEDAVG.md';
const FIGURES = 'docs/fedavg';
const RESULTS = join(FIGURES, 'results');

interface Flags {
  readonly data: string;
  readonly volumes: string;
  readonly minutes?: number;
  readonly jobs?: number;
  readonly learningRate?: number;
  readonly seeds?: number;
  readonly program: string;
  readonly train: boolean;
}

const command = new Command('bench:fedavg')
  .description(
    `run cells and write the tables of ${REPORT}; run again, it resumes where it stopped, and skips what is measured`,
  )
  .argument(
    '[cells...]',
    `which, by the name of the cell or of its table (${TABLES.join(', ')}): ${Object.keys(CELLS).join(', ')} (default: all, in this order)`,
  )
  .option('--data <npz>', 'MNIST as npz', '../shared/datasets/mnist.npz')
  .option(
    '--volumes <dir>',
    'where the volumes of the runs lie, and data that are made',
    join('.cache', 'bench-fedavg'),
  )
  .option('--minutes <n>', 'stop after so long; what is done stays', numberOption({ above: 0 }))
  .option(
    '--jobs <n>',
    'workers side by side (default: as many as there are cores)',
    integerOption({ min: 1 }),
  )
  .option('--learning-rate <eta>', "try this rate instead of the cells' own", numberOption({ above: 0 }))
  .option('--seeds <n>', "so many seeds, from 0 on, instead of the cells' own", integerOption({ min: 1 }))
  .option('--program <cli.js>', 'the compiled fedbatch to run, such as the build that began', compiled('cli'))
  .option('--no-train', 'run nothing: write what the volumes hold')
  .parse();
const flags = command.opts<Flags>();
const deadline = performance.now() + (flags.minutes ?? Number.POSITIVE_INFINITY) * 60_000;

for (const [name, cell] of chosenCells(command.args)) {
  for (const trial of flags.train ? trialsOf(cell) : []) await runTrial(name, cell, trial);
  await writeReport(name, cell);
}

function chosenCells(names: readonly string[]): readonly (readonly [string, Cell])[] {
  const isTable = (name: string) => TABLES.includes(name as TableName);
  const unknown = names.find((name) => CELLS[name] === undefined && !isTable(name));
  if (unknown !== undefined)
    command.error(`error: no cell ${unknown}: expected ${[...TABLES, ...Object.keys(CELLS)].join(', ')}`);
  return Object.entries(CELLS).filter(
    ([name, { table }]) => names.length === 0 || names.includes(name) || names.includes(table),
  );
}

/** Every rate with the first seed before any with the second. */
function trialsOf(cell: Cell): readonly Trial[] {
  const rates = flags.learningRate === undefined ? cell.learningRates : [flags.learningRate];
  return Array.from({ length: flags.seeds ?? cell.seeds }, (_, seed) =>
    rates.map((learningRate) => ({ learningRate, seed })),
  ).flat();
}

/** Runs what a trial still lacks, while there is time; one that fails does not end the others. */
async function runTrial(name: string, cell: Cell, trial: Trial): Promise<void> {
  const { volumes, jobs, program } = flags;
  const budgetMs = deadline - performance.now();
  // A trial that is measured needs neither its volume nor fedbatch, which may be another one by now.
  const measured = attemptOf((await readResults(RESULTS))[name], trial);
  if (budgetMs <= 0 || (measured !== undefined && isDone(cell, measured))) return;
  try {
    const data = await pathOf(cell.data, { mnist: flags.data, made: volumes });
    const options = cellArguments(cell, { data, ...trial });
    console.error(`\n${name}: fedbatch ${options.join(' ')}\n`);
    await train({
      program: resolve(program),
      arguments: jobs === undefined ? options : [...options, '--jobs', `${jobs}`],
      volume: volumeOf({ volumes, name, cell }, trial),
      budgetMs,
    });
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    process.exitCode = 1;
  }
  await writeReport(name, cell);
}

/** Writes what the volumes of a cell hold, whoever ran them, into its results, and all results into the report. */
async function writeReport(name: string, cell: Cell): Promise<void> {
  // Read anew: another call may have written while this one trained for an hour.
  let all: Results = await readResults(RESULTS);
  for (const attempt of await attemptsOf({ volumes: flags.volumes, name, cell })) {
    all = withAttempt(all, name, await readAttempt(attempt, cell));
  }
  await makeDirectory(FIGURES);
  const attempts = all[name] ?? [];
  if (attempts.length > 0) await writeResults(RESULTS, name, attempts);
  for (const [file, svg] of Object.entries(figures(all))) await writeFileAtomic(join(FIGURES, file), svg);
  let report = await readFile(REPORT, 'utf8');
  for (const [section, markdown] of Object.entries(sections(all)))
    report = replaceSection(report, section, markdown);
  await writeFileAtomic(REPORT, report);
}
