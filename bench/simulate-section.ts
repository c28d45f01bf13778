/** Rounds of thousands of virtual clients, beside what Flower and pfl-research simulate with PyTorch on the same work. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { formatBytes } from '../lib/observability/format.js';
import { interleave, sampleProcess } from './measure.js';
import { availablePeers, type Peer, prepareFlowerSimulation, preparePfl } from './peers.js';
import { formatRatio, medianOf, ratioByRound, type Table } from './report.js';
import { type BenchOptions, fedbatch, peerScript, type Section, withDirectory } from './section.js';

/** A simulation: K clients on MNIST, so many rounds of a share of them. */
interface Simulation {
  readonly clients: number;
  readonly fraction: number;
  readonly rounds: number;
  /** Whether the other sides run it too. */
  readonly beside: boolean;
}

/** The paper's share of clients a round. */
const FEW: readonly Simulation[] = [
  { clients: 100, fraction: 0.1, rounds: 3, beside: true },
  { clients: 1_000, fraction: 0.1, rounds: 2, beside: true },
];
/** And one round of all, for its 10,000 updates. */
const MANY: readonly Simulation[] = [
  { clients: 10_000, fraction: 0.1, rounds: 1, beside: true },
  { clients: 10_000, fraction: 1, rounds: 1, beside: false },
];
const BATCH = 10;
const OURS = 'fedbatch';

/** What one simulation came to. */
interface SimulationFigures {
  readonly roundSeconds: number;
  readonly clientsPerSecond: number;
  /** Until the workers were there, once in a run; unknown for the others. */
  readonly startSeconds: number | null;
  /** Workers' time from then on that was no training step, for each client; unknown for the others. */
  readonly overheadMs: number | null;
  /** The largest process that the run started: the simulator, or an actor. */
  readonly peakBytes: number;
  readonly treePeakBytes: number;
}

/** 100 and 1,000 clients. */
export const benchSimulate: Section = (options) => compare(FEW, options);

/** 10,000 clients. */
export const benchSimulateMany: Section = (options) => compare(MANY, options);

/** Simulations on all sides in turn. */
async function compare(
  simulations: readonly Simulation[],
  { data, rounds, journal }: BenchOptions,
): Promise<Table> {
  const { peers, notes } = await availablePeers({ flower: prepareFlowerSimulation, pfl: preparePfl });
  const rows: string[][] = [];
  for (const simulation of simulations) {
    const sides: Record<string, () => Promise<SimulationFigures>> = {
      [OURS]: () => withDirectory((directory) => runOurs(simulation, { data, directory })),
      ...Object.fromEntries(
        Object.entries(simulation.beside ? peers : {}).map(([name, peer]) => [
          peer.name,
          () => runPeer(simulation, { data, peer, script: peerScript(`${name}_simulation.py`) }),
        ]),
      ),
    };
    const name = `simulate, K = ${simulation.clients}, C = ${simulation.fraction}`;
    rows.push(...simulationRows(simulation, await interleave({ rounds, journal, name }, sides)));
  }
  return {
    header: [
      'clients, of them a round',
      'on',
      'clients/s',
      'fedbatch is',
      'a round',
      'start of the workers, once',
      'overhead a client',
      'peak of a process',
      'all processes',
    ],
    rows,
    notes: [...notes, `${availableParallelism()} workers side by side with one thread each, on all sides.`],
  };
}

/** A row for each side; the speed of `fedbatch` as a multiple of the other, round by round. */
function simulationRows(
  { clients, fraction }: Pick<Simulation, 'clients' | 'fraction'>,
  samples: Readonly<Record<string, readonly SimulationFigures[]>>,
): readonly string[][] {
  const speeds = (side: string) => (samples[side] ?? []).map(({ clientsPerSecond }) => clientsPerSecond);
  return Object.entries(samples).map(([side, each]) => {
    const known = (of: (figures: SimulationFigures) => number | null) =>
      each.some((figures) => of(figures) === null)
        ? undefined
        : medianOf(each, (figures) => of(figures) ?? 0);
    const start = known(({ startSeconds }) => startSeconds);
    const overhead = known(({ overheadMs }) => overheadMs);
    return [
      `${clients.toLocaleString('en')}, ${Math.round(clients * fraction).toLocaleString('en')}`,
      side,
      medianOf(each, ({ clientsPerSecond }) => clientsPerSecond).toPrecision(3),
      side === OURS ? '' : `${formatRatio(ratioByRound(speeds(OURS), speeds(side)))} as fast`,
      `${medianOf(each, ({ roundSeconds }) => roundSeconds).toFixed(1)} s`,
      start === undefined ? '' : `${start.toFixed(1)} s`,
      overhead === undefined ? '' : `${overhead.toFixed(1)} ms`,
      formatBytes(medianOf(each, ({ peakBytes }) => peakBytes)),
      formatBytes(medianOf(each, ({ treePeakBytes }) => treePeakBytes)),
    ];
  });
}

/** The line of metrics.jsonl about the updates of a round, and its last one about the round. */
const updatesSchema = z.object({
  event: z.literal('updates'),
  clients: z.number(),
  seconds: z.number(),
  stepSeconds: z.number(),
  startSeconds: z.number().default(0),
});

interface OurRun {
  readonly data: string;
  readonly directory: string;
}

async function runOurs(simulation: Simulation, { data, directory }: OurRun): Promise<SimulationFigures> {
  const { clients, fraction, rounds } = simulation;
  const volume = join(directory, 'run');
  const jobs = availableParallelism();
  const numbers = Object.entries({ clients, fraction, rounds, jobs, epochs: 1, batch: BATCH, threads: 1 });
  const flags = numbers.flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const sample = await fedbatch('run', '--simulate', '--data', data, '--volume', volume, ...flags, '--json');
  const events = (await readFile(join(volume, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  const told = events.flatMap((line) => updatesSchema.safeParse(JSON.parse(line)).data ?? []);
  const total = (of: (each: (typeof told)[number]) => number) =>
    told.reduce((sum, each) => sum + of(each), 0);
  const [seconds, done, steps, start] = [
    total((each) => each.seconds),
    total((each) => each.clients),
    total((each) => each.stepSeconds),
    total((each) => each.startSeconds),
  ];
  return {
    roundSeconds: seconds / told.length,
    clientsPerSecond: done / seconds,
    startSeconds: start,
    overheadMs: (((seconds - start) * Math.min(jobs, clients * fraction) - steps) * 1000) / done,
    peakBytes: sample.childPeakBytes,
    treePeakBytes: sample.treePeakBytes,
  };
}

interface PeerRun {
  readonly data: string;
  readonly peer: Peer;
  readonly script: string;
}

async function runPeer(simulation: Simulation, { data, peer, script }: PeerRun): Promise<SimulationFigures> {
  const { clients, fraction, rounds } = simulation;
  const settings = {
    data: resolve(data),
    clients,
    fraction,
    rounds,
    batch: BATCH,
    jobs: availableParallelism(),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  // Processes that the script starts import its neighbours, too.
  const path = [peer.environment?.PYTHONPATH, resolve('bench', 'peers')].join(':');
  const sample = await sampleProcess(peer.command, [script, ...flags], { PYTHONPATH: path });
  const told = JSON.parse(sample.stdout.trimEnd().split('\n').at(-1) ?? '') as {
    readonly seconds: readonly number[];
    readonly clients: readonly number[];
  };
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  return {
    roundSeconds: sum(told.seconds) / told.seconds.length,
    clientsPerSecond: sum(told.clients) / sum(told.seconds),
    startSeconds: null,
    overheadMs: null,
    peakBytes: sample.childPeakBytes,
    treePeakBytes: sample.treePeakBytes,
  };
}
