/** Runs one attempt of a cell as anybody would: `fedbatch run --simulate`, in a process of its own. */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { timerMs } from '../../lib/core/timers.js';
import { makeDirectory, writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { describeMachine } from '../report.js';
import { type Attempt, type Build, readCurve, readHashes, readSeconds } from './attempt.js';
import { type Cell, settingsHash, type Trial } from './cells.js';

/** What a call of the program needs. */
interface Call {
  /** The compiled program: `cli.js` of this build, or of the one that began the attempt. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** Directory of the attempt's volume. */
  readonly volume: string;
  /** The run is interrupted after so many milliseconds; a later call goes on. */
  readonly budgetMs: number;
}

/** How a call ended. @throws when the program failed */
export async function train({
  program,
  arguments: options,
  volume,
  budgetMs,
}: Call): Promise<'done' | 'interrupted'> {
  await makeDirectory(dirname(volume));
  await recordBuild(volume, program);
  const child = spawn(process.execPath, [program, ...options, '--volume', volume], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const stop = () => child.kill('SIGINT');
  // No budget is infinite.
  const timer = setTimeout(stop, timerMs(budgetMs));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  ).finally(() => {
    clearTimeout(timer);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  });
  if (code === 0) return 'done';
  if (code === INTERRUPTED) return 'interrupted';
  throw new Error(`${program} ${options.join(' ')} ended with ${code}`);
}

/** Exit code of a run that was asked to stop. */
const INTERRUPTED = 130;

/** A cell by its name, and where the volumes of all cells lie. */
interface CellPlace {
  readonly volumes: string;
  readonly name: string;
  readonly cell: Cell;
}

/** Volumes of other settings than the cell has now lie elsewhere. */
const directoryOf = ({ volumes, name, cell }: CellPlace): string =>
  join(volumes, `${name}-${settingsHash(cell)}`);

/** Where one attempt lies. */
interface AttemptPlace extends Trial {
  readonly volume: string;
}

/** The directory of an attempt's volume. */
export function volumeOf(place: CellPlace, { learningRate, seed }: Trial): string {
  return join(directoryOf(place), `lr-${learningRate}-seed-${seed}`);
}

/** All attempts of a cell that have begun. */
export async function attemptsOf(place: CellPlace): Promise<readonly AttemptPlace[]> {
  const directory = directoryOf(place);
  const entries = await readdir(directory).catch(() => []);
  return entries.flatMap((entry) => {
    const [, rate, seed] = /^lr-(\d+(?:\.\d+)?)-seed-(\d+)$/.exec(entry) ?? [];
    const volume = join(directory, entry);
    return rate === undefined ? [] : [{ learningRate: Number(rate), seed: Number(seed), volume }];
  });
}

/** What lies on an attempt's volume. */
export async function readAttempt(
  { learningRate, seed, volume }: AttemptPlace,
  { metric }: Pick<Cell, 'metric'>,
): Promise<Attempt> {
  const hashes = await readHashes(volume);
  return {
    ...{ learningRate, seed },
    seconds: Math.round(await readSeconds(volume)),
    builds: await readBuilds(volume),
    ...(hashes === undefined ? {} : { hashes }),
    curve: await readCurve(volume, metric),
  };
}

/** Beside the volume, which holds what fedbatch wrote and nothing else. */
const buildsFile = (volume: string): string => `${volume}.builds.json`;

async function readBuilds(volume: string): Promise<readonly Build[]> {
  const text = await readFile(buildsFile(volume), 'utf8').catch(() => '[]');
  return JSON.parse(text) as readonly Build[];
}

async function recordBuild(volume: string, program: string): Promise<void> {
  const commit = await commitOf(dirname(program));
  const build = { commit, machine: describeMachine(), date: new Date().toISOString().slice(0, 10) };
  const earlier = await readBuilds(volume);
  if (JSON.stringify(earlier.at(-1)) === JSON.stringify(build)) return;
  await writeFileAtomic(buildsFile(volume), JSON.stringify([...earlier, build]));
}

/** The commit of the working tree that a directory belongs to, and whether more was changed in it than documents. */
export async function commitOf(directory: string): Promise<string> {
  const git = async (...options: readonly string[]) =>
    (await execa('git', options, { cwd: directory, reject: false })).stdout;
  // The documents are what benchmarks write themselves.
  const changed = await git(
    'status',
    '--porcelain',
    '--untracked-files=no',
    '--',
    ':/',
    ':(exclude,top)docs',
  );
  return `${(await git('describe', '--always')) || 'unknown'}${changed === '' ? '' : '-dirty'}`;
}
