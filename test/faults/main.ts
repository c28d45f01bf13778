/**
 * `npm run test:faults`: points of the fault simulator, one seed each. Ends with exit code 1 where one failed.
 *
 *   npm run test:faults -- --seed 1 --points 60            these seeds
 *   npm run test:faults -- --journal FILE --for 10m        new ones, added to those of earlier sessions
 *   npm run test:faults -- --only 17 --keep                one again; its files stay
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { execa } from 'execa';
import { replaceSection } from '../../bench/report.js';
import { integerOption, numberOption } from '../../lib/cli/options.js';
import { projectRoot } from '../sources.js';
import { openJobs } from './jobs.js';
import { addToJournal, describeJournal, readJournal } from './journal.js';
import { type PointContext, type PointResult, runPoint } from './point.js';
import { buildShim } from './session.js';

const REPORT = join(projectRoot, 'docs', 'RELIABILITY.md');
const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

interface Flags {
  readonly seed?: number;
  readonly points?: number;
  readonly for?: number;
  readonly only?: number;
  readonly journal?: string;
  readonly jobs: number;
  readonly stop: number;
  readonly keep?: true;
  readonly write?: true;
}

const flags = new Command('test:faults')
  .description('disturb the programs at points that seeds draw, and check what must hold')
  .option(
    '--seed <n>',
    'the first seed (default: the one after those of the journal)',
    integerOption({ min: 1 }),
  )
  .option(
    '--points <n>',
    'so many seeds (default: 60, with --for as many as there is time)',
    integerOption({ min: 1 }),
  )
  .option('--for <time>', 'begin no point after this time: 90s, 10m, 1h', parseDuration)
  .option('--only <seed>', 'this seed alone', integerOption({ min: 1 }))
  .option('--journal <file>', 'where points are added up over sessions; seeds in it are passed over')
  .option('--jobs <n>', 'points side by side', integerOption({ min: 1 }), availableParallelism())
  .option('--stop <seconds>', 'how long processes are stopped', numberOption({ min: 0 }), 0.5)
  .option('--keep', 'leave the files of the last point, and say where')
  .option('--write', 'write the tables of --journal into docs/RELIABILITY.md')
  .parse()
  .opts<Flags>();

function parseDuration(text: string): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text) ?? [];
  if (number === '') throw new InvalidArgumentError(`Expected a time such as 10m, found "${text}".`);
  return Number(number) * (UNITS[unit || 's'] ?? 1);
}

const directory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
try {
  await main();
} finally {
  if (flags.keep) console.log(`The files stay in ${directory}`);
  else await rm(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const shim = await buildShim(directory);
  if (shim === undefined) {
    console.log(
      'skipped: faults are injected by a library for Linux, and cc, which compiles it, is not here',
    );
    return;
  }
  const known = flags.journal === undefined ? [] : await readJournal(flags.journal);
  const job = openJobs(shim, join(directory, 'jobs'));
  const commit = await commitOf();
  const failures: number[] = [];
  const seeds = seedsOf(new Set(known.map(({ seed }) => seed)));
  const endBy = performance.now() + (flags.for ?? Number.POSITIVE_INFINITY) * 1000;
  let points = 0;
  const work = async (worker: number) => {
    const context: PointContext = {
      ...{ shim, job, stopSeconds: flags.stop },
      directory: join(directory, `point-${worker}`),
    };
    for (const seed of seeds) {
      const began = performance.now();
      const result = await runPoint(seed, context);
      const seconds = Math.round(performance.now() - began) / 1000;
      points += 1;
      console.log(`seed ${seed}  ${result.job}  ${result.endings.join(', ')}  ${seconds.toFixed(1)} s`);
      if (result.breaches.length > 0) {
        failures.push(seed);
        console.log(describeFailure(result));
      }
      const { schedule: _, output: __, ...entry } = result;
      if (flags.journal !== undefined)
        await addToJournal(flags.journal, {
          ...entry,
          faults: [...entry.faults],
          endings: [...entry.endings],
          breaches: [...entry.breaches],
          commit,
          seconds,
        });
      if (performance.now() > endBy) return;
    }
  };
  await mkdir(join(directory, 'jobs'), { recursive: true });
  const workers = flags.only === undefined ? flags.jobs : 1;
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)));
  console.log(
    `${points} points, ${failures.length} failures${failures.length > 0 ? `: seeds ${failures.join(', ')}` : ''}`,
  );
  if (failures.length > 0) process.exitCode = 1;
  if (flags.write) await writeReport();
}

/** The seeds to run, shared by those who run them. */
function* seedsOf(known: ReadonlySet<number>): Generator<number, void> {
  const {
    only,
    seed = 1 + Math.max(0, ...known),
    for: time,
    points = time === undefined ? 60 : Number.POSITIVE_INFINITY,
  } = flags;
  if (only !== undefined) {
    yield only;
    return;
  }
  for (let next = seed; next < seed + points; next++) if (!known.has(next)) yield next;
}

function describeFailure({ seed, job, schedule, breaches, output }: PointResult): string {
  return [
    `FAILED: seed ${seed}, job ${job}`,
    ...schedule.map((line) => `  ${line}`),
    ...breaches.map((breach) => `  * ${breach}`),
    output.trimEnd().replaceAll(/^/gm, '    '),
    `  again: npm run test:faults -- --only ${seed} --keep`,
  ].join('\n');
}

/** The version of what is tested. */
async function commitOf(): Promise<string> {
  const { stdout } = await execa('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: projectRoot,
    reject: false,
  });
  return stdout || 'unknown';
}

async function writeReport(): Promise<void> {
  if (flags.journal === undefined) throw new Error('--write needs --journal');
  const tables = describeJournal(await readJournal(flags.journal));
  await writeFile(REPORT, replaceSection(await readFile(REPORT, 'utf8'), 'faults', `\n${tables}\n`));
}
