/** What the programs take from start to end, and the server for a request; beside another build, where one is named. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { formatBytes } from '../lib/observability/format.js';
import { endedProcessesSeconds, interleave, sampleProcess } from './measure.js';
import { formatRatio, medianOf, ratioByRound, type Table } from './report.js';
import { type BenchOptions, program, withDirectory } from './section.js';
import { serveArguments, writeBodies, writeModel } from './serve-load.js';
import { measureServer } from './serve-section.js';
import { writeUpdates } from './updates.js';

/** Finds a program by its path in dist. */
type Build = (path: string) => string;

/** What one process, or one request, took. */
export interface ProgramSample {
  readonly seconds: number;
  /** Processor time, of its children too; without it, the row is a time alone. */
  readonly cpuSeconds?: number;
  /** Of the largest process. */
  readonly peakBytes?: number;
}

/** A row, or several that are measured at once: what is measured of a build. */
type Measured = (build: Build) => Promise<Readonly<Record<string, ProgramSample>>>;

/** Help, stages, aggregation by groups, simulations, a job, requests: wall time, processor time and memory. */
export async function benchPrograms({
  data,
  rounds,
  journal,
  baseline,
  only = '',
}: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    const builds: Readonly<Record<string, Build>> = {
      ...(baseline === undefined ? {} : { baseline: (path: string) => join(baseline, `${path}.js`) }),
      'this build': program,
    };
    await run(program, ['splitter/cli', '--data', data, '--clients', '3', '--out', at('shards')]);
    await run(program, ['trainer/init-cli', '--data', at('shards/test.npz'), '--out', at('init.h5')]);
    const wanted = [...Object.entries(commands(data, at)), ...Object.entries(await requests(directory))];
    const rows: string[][] = [];
    for (const [name, measured] of wanted.filter(([each]) => each.includes(only))) {
      const samples = await interleave(
        { rounds, journal, name },
        Object.fromEntries(Object.entries(builds).map(([side, build]) => [side, () => measured(build)])),
      );
      const ours = samples['this build'] ?? [];
      for (const row of Object.keys(ours[0] ?? {})) {
        const of = (side: typeof ours) => side.map((each) => each[row] as ProgramSample);
        rows.push([row, ...programRow(of(ours), samples.baseline && of(samples.baseline))]);
      }
    }
    const compares = ['wall time before', 'CPU', 'peak memory', 'time is', 'CPU is', 'memory is'];
    const header = [
      'program',
      'wall time',
      'CPU',
      'peak memory',
      ...(baseline === undefined ? [] : compares),
    ];
    return { header, rows };
  });
}

/** A command by its program and arguments, and the directory that it begins without. */
interface ProgramCall {
  readonly command: readonly [program: string, ...args: string[]];
  readonly fresh?: string;
}

/** Whole processes: start-up, reading, work, writing. */
function commands(data: string, at: (name: string) => string): Readonly<Record<string, Measured>> {
  const help = (path: string, ...args: string[]): ProgramCall => ({ command: [path, ...args, '--help'] });
  const train = (out: string, ...args: string[]): ProgramCall => ({
    command: [
      ...(['trainer/cli', '--data', at('shards/0.npz'), '--init', at('init.h5'), '--client', '0'] as const),
      ...['--round', '1', '--out', at(out), ...args],
    ],
  });
  const simulate = (clients: string, rounds: string, ...args: string[]): ProgramCall => ({
    command: [
      ...(['cli', 'run', '--simulate', '--data', data, '--clients', clients, '--rounds', rounds] as const),
      ...['--epochs', '1', '--batch', '10', '--jobs', '2', '--threads', '1', '--volume', at('simulated')],
      ...args,
    ],
    fresh: at('simulated'),
  });
  const few = ['--fraction', '0.1'];
  const updates = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => at(`updates/${from + index}.h5`));
  const group = (name: string) =>
    [
      'aggregator/cli',
      ...updates(Number(name) * 250, 250),
      '--group',
      name,
      '--out',
      at(`${name}.h5`),
    ] as const;
  const calls: Readonly<Record<string, ProgramCall>> = {
    'help of the splitter': help('splitter/cli'),
    'help of the trainer': help('trainer/cli'),
    'help of the aggregator': help('aggregator/cli'),
    'help of the evaluator': help('evaluator/cli'),
    'help of the server': help('server/cli'),
    'help of run': help('cli', 'run'),
    'split 60,000 images into 3 shards': {
      command: ['splitter/cli', '--data', data, '--clients', '3', '--out', at('split')],
      fresh: at('split'),
    },
    'train one step': train('step.h5', '--threads', '1', '--local-steps', '1'),
    'train 20,000 images, 1 epoch, batch 100, 1 thread': train('1.h5', '--threads', '1', '--epochs', '1'),
    'train 20,000 images, 1 epoch, batch 100, 2 threads': train('2.h5', '--threads', '2', '--epochs', '1'),
    'train 1,000 steps, batch 10, 1 thread': train(
      '10.h5',
      ...['--threads', '1', '--local-steps', '1000', '--batch', '10'],
    ),
    'aggregate 100 updates of 0.5 MB': {
      command: ['aggregator/cli', ...updates(0, 100), '--out', at('100.h5')],
    },
    'aggregate 1,000 updates of 0.5 MB': {
      command: ['aggregator/cli', '--dir', at('updates'), '--out', at('1000.h5')],
    },
    'aggregate a group of 250': { command: group('0') },
    'aggregate 4 groups of 250': {
      command: [
        'aggregator/cli',
        '--groups',
        ...['0', '1', '2', '3'].map((name) => at(`${name}.h5`)),
        '--out',
        at('groups.h5'),
      ],
    },
    'test 10,000 images, 2 threads': {
      command: [
        ...(['evaluator/cli', '--data', at('shards/test.npz'), '--model', at('init.h5')] as const),
        ...['--out', at('accuracy.json'), '--threads', '2'],
      ],
    },
    'simulate 20 clients, 3 rounds of the mlp': simulate('20', '3', '--model', 'mlp'),
    'simulate 100 clients, 10 a round, 3 rounds': simulate('100', '3', ...few),
    'simulate 1,000 clients, 100 a round, 2 rounds': simulate('1000', '2', ...few),
    'simulate 10,000 clients, 1,000 a round': simulate('10000', '1', ...few),
    'run 3 clients, 2 epochs, batch 100': {
      command: [
        ...(['cli', 'run', '--data', data, '--clients', '3', '--epochs', '2', '--batch', '100'] as const),
        ...['--volume', at('run')],
      ],
      fresh: at('run'),
    },
  };
  const prepared = once(async () => {
    await writeUpdates(at('updates'), 1000);
    for (const name of ['0', '1', '2', '3']) await run(program, group(name));
  });
  return Object.fromEntries(
    Object.entries(calls).map(([name, { command, fresh }]) => [
      name,
      async (build: Build) => {
        if (name.startsWith('aggregate')) await prepared();
        if (fresh !== undefined) await rm(fresh, { recursive: true, force: true });
        return { [name]: await run(build, command) };
      },
    ]),
  );
}

/** Requests to a server that has as many as it can take, and half of them. */
async function requests(directory: string): Promise<Readonly<Record<string, Measured>>> {
  const model = await writeModel(directory);
  const [predict, upload] = await writeBodies(directory);
  return Object.fromEntries(
    Object.entries({ 'a prediction': predict, 'an upload of a PNG': upload }).map(([name, load]) => [
      name,
      async (build: Build) => {
        const { perSecond, p50Ms, p99Ms, cpuMs, peakBytes } = await measureServer(
          process.execPath,
          serveArguments(model, build),
          load,
        );
        return {
          [`${name}, 32 at once: 1 / requests a second`]: {
            ...{ seconds: 1 / perSecond, cpuSeconds: cpuMs / 1000, peakBytes },
          },
          [`${name}, at half of that load: median`]: { seconds: p50Ms / 1000 },
          [`${name}, at half of that load: 99th percentile`]: { seconds: p99Ms / 1000 },
        };
      },
    ]),
  );
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

async function run(build: Build, [path, ...args]: ProgramCall['command']): Promise<ProgramSample> {
  const before = endedProcessesSeconds();
  const { seconds, peakBytes, childPeakBytes } = await sampleProcess(process.execPath, [
    build(path),
    ...args,
  ]);
  return {
    ...{ seconds, cpuSeconds: endedProcessesSeconds() - before },
    peakBytes: Math.max(peakBytes, childPeakBytes),
  };
}

const FIGURES = ['seconds', 'cpuSeconds', 'peakBytes'] as const;

/** The figures of a row: ours, and with a baseline its figures, and what ours are of them within a round. */
export function programRow(
  ours: readonly ProgramSample[],
  theirs?: readonly ProgramSample[],
): readonly string[] {
  const valuesOf = (samples: readonly ProgramSample[], figure: (typeof FIGURES)[number]) =>
    samples.map((sample) => sample[figure] ?? Number.NaN);
  const cells = (samples: readonly ProgramSample[]) =>
    FIGURES.map((figure) => {
      const middle = medianOf(valuesOf(samples, figure), (value) => value);
      if (!Number.isFinite(middle)) return '';
      return figure === 'peakBytes' ? formatBytes(middle) : formatTime(middle);
    });
  if (theirs === undefined) return cells(ours);
  const ratios = FIGURES.map((figure) => ratioByRound(valuesOf(ours, figure), valuesOf(theirs, figure)));
  return [...cells(ours), ...cells(theirs), ...ratios.map(formatRatio)];
}

/** Three digits. */
function formatTime(seconds: number): string {
  return seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${seconds.toFixed(2)} s`;
}
