/** A long haul: hundreds of rounds of 20 clients, and whether memory, handles, the volume and the time of a resume stay what they are. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { roundsAmong, volumePaths } from '../lib/formats/volume.js';
import { formatBytes } from '../lib/observability/format.js';
import { openHandles, processTree, residentBytes } from './measure.js';
import type { Table } from './report.js';
import { type BenchOptions, fedbatch, program, withDirectory } from './section.js';

const CLIENTS = 20;
const KEPT = 5;
/** Between two samples. */
const EVERY = 50;
/** Rounds by processes for each of those that are simulated. */
const SHARE_BY_PROCESSES = 1 / 25;
const LOOK_MS = 100;

/** What there was when a round began. */
export interface HaulSample {
  readonly round: number;
  readonly seconds: number;
  /** By name of the process: resident memory and open handles. */
  readonly processes: Readonly<Record<string, { readonly bytes: number; readonly handles: number }>>;
  readonly volumeBytes: number;
  readonly files: number;
}

/** How long a command takes that finds everything done. */
export interface ResumeSample {
  readonly rounds: number;
  readonly seconds: number;
}

/** Runs `federatedRounds` rounds, once, whatever `rounds` says. */
export async function benchHaul({ federatedRounds, journal }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const data = join(directory, 'digits.npz');
    await fedbatch('dataset', 'digits', '--out', data, '--train', '2000', '--test', '200');
    const asked = (volume: string, rounds: number): readonly string[] => [
      ...['run', '--volume', join(directory, volume), '--data', data, '--model', 'mlp', '--batch', '50'],
      ...['--clients', `${CLIENTS}`, '--rounds', `${rounds}`, '--keep-rounds', `${KEPT}`, '--json'],
    ];
    const simulated = (rounds: number) => [...asked('simulated', rounds), '--simulate', '--jobs', '1'];
    const resumes: ResumeSample[] = [];
    for (const rounds of [...new Set([10, 100].filter((each) => each < federatedRounds))]) {
      const resumed = await journal.once(`resume at ${rounds}`, async () => {
        await fedbatch(...simulated(rounds));
        return await resume(simulated(rounds));
      });
      resumes.push({ rounds, seconds: resumed });
    }
    const haul = await journal.once('simulated', async () => {
      const volume = join(directory, 'haul');
      const words = [...asked('haul', federatedRounds), '--simulate', '--jobs', '1'];
      const samples = await watched(words, volume, EVERY);
      return { samples, seconds: await resume(words) };
    });
    resumes.push({ rounds: federatedRounds, seconds: haul.seconds });
    const few = Math.max(4, Math.round(federatedRounds * SHARE_BY_PROCESSES));
    const byProcesses = await journal.once('by processes', () =>
      watched(asked('processes', few), join(directory, 'processes'), Math.ceil(few / 4)),
    );
    return haulTable({ simulated: haul.samples, byProcesses, resumes });
  });
}

/** Seconds of the same command once more; all that it does is to find out that it has nothing to do. */
async function resume(words: readonly string[]): Promise<number> {
  const samples = [await fedbatch(...words), await fedbatch(...words), await fedbatch(...words)];
  return Math.min(...samples.map(({ seconds }) => seconds));
}

/** Runs a job beside those who watch it for as long as it goes on, and looks at all of them every so many rounds. */
async function watched(
  words: readonly string[],
  volume: string,
  every: number,
): Promise<readonly HaulSample[]> {
  const from = performance.now();
  const run = start(words);
  const ended = new Promise<number | null>((resolve) => run.once('close', resolve));
  const started = [run];
  const samples: HaulSample[] = [];
  try {
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    // Who looks at a run finds one there.
    while (!isOver && !existsSync(volumePaths(volume).metrics)) await delay(LOOK_MS);
    const page = start(['watch', volume, '--port', '0']);
    const logs = start(['logs', volume, '--follow']);
    started.push(page, logs);
    for (let next = every; !isOver; await delay(LOOK_MS)) {
      const round = roundOf(volume);
      if (round <= next) continue;
      samples.push({
        round: next,
        seconds: (performance.now() - from) / 1000,
        processes: {
          ...processesOf(run),
          watch: figuresOf(page.pid),
          logs: figuresOf(logs.pid),
        },
        ...sizeOf(volume),
      });
      console.error(`haul: round ${next}, ${JSON.stringify(samples.at(-1))}`);
      next = round - (round % every) + every;
    }
    const code = await ended;
    if (code !== 0) throw new Error(`the run ended with ${code}`);
    return samples;
  } finally {
    for (const each of started) each.kill('SIGTERM');
  }
}

function start(words: readonly string[]): ChildProcess {
  return spawn(process.execPath, [program('cli'), ...words], { stdio: ['ignore', 'ignore', 'ignore'] });
}

/** The round that is under way. */
function roundOf(volume: string): number {
  const { rounds, round } = volumePaths(volume);
  if (!existsSync(rounds)) return 0;
  const numbers = roundsAmong(readdirSync(rounds));
  return numbers.findLast((number) => existsSync(round(number).record)) ?? 0;
}

/** The pipeline and its simulator; trainers live for seconds. */
function processesOf({ pid }: ChildProcess): HaulSample['processes'] {
  const children = pid === undefined ? [] : processTree(pid);
  const simulator = children.find(({ command }) => command.includes('simulator/cli'));
  return {
    run: figuresOf(pid),
    ...(simulator === undefined ? {} : { simulator: figuresOf(simulator.pid) }),
  };
}

const figuresOf = (pid = 0) => ({ bytes: residentBytes(pid), handles: openHandles(pid) });

/** Bytes on the disk, a file with two names once; those that vanish meanwhile do not count. */
function sizeOf(volume: string): Pick<HaulSample, 'volumeBytes' | 'files'> {
  const seen = new Map<number, number>();
  for (const entry of readdirSync(volume, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const { ino = 0, size = 0 } =
      statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false }) ?? {};
    seen.set(ino, size);
  }
  return { volumeBytes: [...seen.values()].reduce((sum, size) => sum + size, 0), files: seen.size };
}

/** A row for each sample, and what a resume takes below. */
export function haulTable({
  simulated,
  byProcesses,
  resumes,
}: {
  readonly simulated: readonly HaulSample[];
  readonly byProcesses: readonly HaulSample[];
  readonly resumes: readonly ResumeSample[];
}): Table {
  const names = ['run', 'simulator', 'watch', 'logs'];
  const row = (target: string) => (sample: HaulSample) => [
    target,
    `${sample.round}`,
    `${sample.seconds.toFixed(0)} s`,
    ...names.map((name) => {
      const { bytes = 0, handles = 0 } = sample.processes[name] ?? {};
      return bytes === 0 ? '' : `${formatBytes(bytes)}, ${handles}`;
    }),
    formatBytes(sample.volumeBytes),
    `${sample.files}`,
  ];
  const times = resumes.map(({ rounds, seconds }) => `${seconds.toFixed(2)} s after ${rounds} rounds`);
  return {
    header: [
      'clients',
      'round',
      'after',
      ...names.map((name) => `${name}: memory, handles`),
      'volume',
      'files',
    ],
    rows: [...simulated.map(row('simulated')), ...byProcesses.map(row('processes'))],
    notes: [
      `${CLIENTS} clients a round, a network of 784-200-200-10, --keep-rounds ${KEPT}; beside the run \`watch\` and \`logs --follow\` look on.`,
      `A finished run, once more by the same command, the best of three: ${times.join(', ')}.`,
    ],
  };
}
