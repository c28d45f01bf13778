/** `npm run bench:fedavg`: the tables of the FedAvg paper and of niid_bench, into docs/FEDAVG.md. */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { integerOption, numberOption } from '../../lib/cli/options.js';
import { encodeNpz, openNpz } from '../../lib/formats/data/npz.js';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { exists, readFileBytes } from '../../lib/formats/files/read-file.js';
import { replaceSection } from '../report.js';
import { program as compiled } from '../section.js';
import { readAccuracies } from './attempt.js';
import { CELLS, type Cell, cellArguments } from './cells.js';
import { figures, sections } from './report.js';
import { type Results, readResults, roundsToTarget, withAttempt, writeResults } from './results.js';
import { attemptsOf, readAttempt, train, volumeOf } from './train-cell.js';

const REPORT = 'docs/FEDAVG.md';
const FIGURES = 'docs/fedavg';
const RESULTS = join(FIGURES, 'results.json');

interface Flags {
  readonly data: string;
  readonly volumes: string;
  readonly minutes?: number;
  readonly jobs?: number;
  readonly learningRate?: number;
  readonly program: string;
  readonly train: boolean;
}

const command = new Command('bench:fedavg')
  .description(`run cells and write the tables of ${REPORT}; run again, it resumes where it stopped`)
  .argument('[cells...]', `which: ${Object.keys(CELLS).join(', ')} (default: all, in this order)`)
  .option('--data <npz>', 'MNIST as npz', '../shared/datasets/mnist.npz')
  .option('--volumes <dir>', 'where the volumes of the runs lie', join('.cache', 'bench-fedavg'))
  .option('--minutes <n>', 'stop after so long; what is done stays', numberOption({ above: 0 }))
  .option(
    '--jobs <n>',
    'workers side by side (default: as many as there are cores)',
    integerOption({ min: 1 }),
  )
  .option('--learning-rate <eta>', "try this rate instead of the cells' own", numberOption({ above: 0 }))
  .option('--program <cli.js>', 'the compiled fedbatch to run, such as the build that began', compiled('cli'))
  .option('--no-train', 'run nothing: write what the volumes hold')
  .parse();
const flags = command.opts<Flags>();
const deadline = performance.now() + (flags.minutes ?? Number.POSITIVE_INFINITY) * 60_000;

for (const [name, cell] of chosenCells(command.args)) {
  if (flags.train) await trainCell(name, cell);
  // Read anew: another call may have written while this one trained for an hour.
  await writeReport(await withVolumes(await readResults(RESULTS), name));
}

function chosenCells(names: readonly string[]): readonly (readonly [string, Cell])[] {
  const unknown = names.find((name) => CELLS[name] === undefined);
  if (unknown !== undefined)
    command.error(`error: no cell ${unknown}: expected ${Object.keys(CELLS).join(', ')}`);
  return Object.entries(CELLS).filter(([name]) => names.length === 0 || names.includes(name));
}

/** Runs what the cell's learning rates still lack, while there is time; a rate that fails does not end the others. */
async function trainCell(name: string, cell: Cell): Promise<void> {
  const { data, volumes, jobs, learningRate, program } = flags;
  for (const rate of learningRate === undefined ? cell.learningRates : [learningRate]) {
    const budgetMs = deadline - performance.now();
    if (budgetMs <= 0) return;
    const volume = volumeOf({ volumes, name, learningRate: rate });
    // A finished run needs nothing of fedbatch, which may be another one by now than the one that wrote the volume.
    if (roundsToTarget(await readAccuracies(volume), cell.target) !== undefined) continue;
    const options = cellArguments(cell, { data: await dataOf(cell, { data, volumes }), learningRate: rate });
    console.error(`\n${name}: fedbatch ${options.join(' ')}\n`);
    await train({
      program: resolve(program),
      arguments: jobs === undefined ? options : [...options, '--jobs', `${jobs}`],
      volume,
      budgetMs,
    }).catch((error: Error) => {
      console.error(`${name}: ${error.message}`);
      process.exitCode = 1;
    });
  }
}

/** The dataset of a cell: all of it, or a file that is made of every so manieth training image. */
async function dataOf(
  { everyImage }: Cell,
  { data, volumes }: Pick<Flags, 'data' | 'volumes'>,
): Promise<string> {
  if (everyImage === undefined) return data;
  const file = join(volumes, `every-${everyImage}.npz`);
  if (await exists(file)) return file;
  const archive = await openNpz(await readFileBytes(data, 'MNIST as npz'), data);
  const arrays = ['x_train', 'y_train', 'x_test', 'y_test'].map((name) => {
    const { shape, values } = archive.read(name);
    if (!(values instanceof Uint8Array)) throw new Error(`${data}: expected uint8 in ${name}`);
    const [count = 0, ...rest] = shape;
    const step = name.endsWith('_train') ? everyImage : 1;
    const size = values.length / count;
    const length = Math.floor(count / step);
    const taken = new Uint8Array(length * size);
    for (let at = 0; at < length; at++)
      taken.set(values.subarray(at * step * size, (at * step + 1) * size), at * size);
    return { name, shape: [length, ...rest], values: taken };
  });
  await makeDirectory(volumes);
  await writeFileAtomic(file, await encodeNpz(arrays));
  return file;
}

/** The results with what the volumes of a cell hold, whoever ran them. */
async function withVolumes(before: Results, name: string): Promise<Results> {
  let after = before;
  for (const attempt of await attemptsOf(flags.volumes, name)) {
    after = withAttempt(after, name, await readAttempt(attempt));
  }
  return after;
}

async function writeReport(all: Results): Promise<void> {
  await makeDirectory(FIGURES);
  await writeResults(RESULTS, all);
  for (const [file, svg] of Object.entries(figures(all))) await writeFileAtomic(join(FIGURES, file), svg);
  let report = await readFile(REPORT, 'utf8');
  for (const [name, markdown] of Object.entries(sections(all)))
    report = replaceSection(report, name, markdown);
  await writeFileAtomic(REPORT, report);
}
