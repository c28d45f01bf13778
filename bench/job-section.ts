/** The whole job, beside the same job as Python processes: split, 3 clients × 2 epochs × batch 100, average, test. */
import { mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { formatBytes, formatSeconds } from '../lib/observability/format.js';
import { interleave, sampleProcess } from './measure.js';
import { availablePeers, type Peer, prepareKeras, preparePyTorch } from './peers.js';
import { formatRatio, medianOf, ratioByRound, type Table } from './report.js';
import { type BenchOptions, fedbatch, peerScript, withDirectory } from './section.js';

const CLIENTS = 3;
const EPOCHS = 2;
const BATCH = 100;
const OURS = 'fedbatch run';

/** What one run of the whole job came to. */
export interface JobFigures {
  readonly seconds: number;
  readonly trainSeconds: number;
  /** Most memory held at one time by all processes of the job. */
  readonly peakBytes: number;
  /** The largest process that the job started: a trainer. */
  readonly trainerPeakBytes: number;
  readonly accuracy: number;
}

/** How the trainers of a job share the cores. */
interface Layout {
  readonly jobs: number;
  readonly threads: number;
}

type Framework = 'torch' | 'keras';

/** The whole job on each side. */
export async function benchJob({ data, rounds, journal }: BenchOptions): Promise<Table> {
  const { peers, notes: missing } = await availablePeers({ torch: preparePyTorch, keras: prepareKeras });
  const notes = [...missing];
  return withDirectory(async (directory) => {
    let runs = 0;
    const inFreshVolume = async <T>(run: (volume: string) => Promise<T>): Promise<T> => {
      const volume = join(directory, `${runs++}`);
      await mkdir(volume);
      return run(volume).finally(() => rm(volume, { recursive: true, force: true }));
    };
    const sides: Record<string, () => Promise<JobFigures>> = {
      [OURS]: () => inFreshVolume((volume) => runOurs(data, volume)),
    };
    for (const framework of ['torch', 'keras'] as const) {
      const peer = peers[framework];
      if (peer === undefined) continue;
      const run = (layout: Layout, epochs: number) =>
        inFreshVolume((volume) => runTheirs({ peer, framework, layout, epochs, data, volume }));
      const trials: { readonly layout: Layout; readonly seconds: number }[] = [];
      for (const layout of layouts(CLIENTS, availableParallelism())) {
        console.error(`job: trying ${peer.name} with ${describe(layout)}`);
        const { seconds } = await journal.once(`trial, ${framework}, ${describe(layout)}`, () =>
          run(layout, 1),
        );
        trials.push({ layout, seconds });
      }
      const [best] = trials.toSorted((a, b) => a.seconds - b.seconds);
      if (best === undefined) continue;
      const tried = trials.map(({ layout, seconds }) => `${describe(layout)} ${formatSeconds(seconds)}`);
      notes.push(
        `${peer.name} ran with ${describe(best.layout)}, the faster in a trial of one epoch: ${tried.join(', ')}.`,
      );
      sides[`${peer.name}, ${describe(best.layout)}`] = () => run(best.layout, EPOCHS);
    }
    const samples = await interleave({ rounds, journal, name: 'job' }, sides);
    return {
      header: [
        'job',
        'wall time',
        'fedbatch takes',
        'of it training',
        'peak memory, all processes',
        'fedbatch holds',
        'peak of a trainer',
        'accuracy on the test images',
      ],
      rows: jobRows(samples),
      notes,
    };
  });
}

/** The ways to share the cores that a competent user would try: one trainer with all of them, two, … side by side. */
export function layouts(clients: number, cores: number): readonly Layout[] {
  return Array.from({ length: Math.min(clients, cores) }, (_, index) => ({
    jobs: index + 1,
    threads: Math.floor(cores / (index + 1)),
  }));
}

const describe = ({ jobs, threads }: Layout) => `${jobs} × ${threads} thread${threads === 1 ? '' : 's'}`;

/** A row for each side; time and memory of `fedbatch` as shares of it, round by round. */
export function jobRows(samples: Readonly<Record<string, readonly JobFigures[]>>): readonly string[][] {
  const ours = samples[OURS] ?? [];
  return Object.entries(samples).map(([side, theirs]) => {
    const share = (figure: (sample: JobFigures) => number) =>
      side === OURS ? '' : formatRatio(ratioByRound(ours.map(figure), theirs.map(figure)));
    return [
      side,
      formatSeconds(medianOf(theirs, ({ seconds }) => seconds)),
      share(({ seconds }) => seconds),
      formatSeconds(medianOf(theirs, ({ trainSeconds }) => trainSeconds)),
      formatBytes(medianOf(theirs, ({ peakBytes }) => peakBytes)),
      share(({ peakBytes }) => peakBytes),
      formatBytes(medianOf(theirs, ({ trainerPeakBytes }) => trainerPeakBytes)),
      `${(medianOf(theirs, ({ accuracy }) => accuracy) * 100).toFixed(2)} %`,
    ];
  });
}

/** The last line of both sides' stdout. */
interface Outcome {
  readonly accuracy: number;
  readonly seconds: Readonly<Record<string, number>>;
}

async function runOurs(data: string, volume: string): Promise<JobFigures> {
  const sizes = ['--clients', CLIENTS, '--epochs', EPOCHS, '--batch', BATCH].map(String);
  return figures(await fedbatch('run', '--data', data, ...sizes, '--volume', join(volume, 'run'), '--json'));
}

interface PeerJob {
  readonly peer: Peer;
  readonly framework: Framework;
  readonly layout: Layout;
  readonly epochs: number;
  readonly data: string;
  readonly volume: string;
}

async function runTheirs({ peer, framework, layout, epochs, data, volume }: PeerJob): Promise<JobFigures> {
  const settings = { framework, data: resolve(data), volume, clients: CLIENTS, epochs, ...layout };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  return figures(await sampleProcess(peer.command, [peerScript('job.py'), ...flags]));
}

function figures(sample: Awaited<ReturnType<typeof sampleProcess>>): JobFigures {
  const outcome = JSON.parse(sample.stdout.trimEnd().split('\n').at(-1) ?? '') as Outcome;
  return {
    seconds: sample.seconds,
    trainSeconds: outcome.seconds.train ?? Number.NaN,
    peakBytes: sample.treePeakBytes,
    trainerPeakBytes: sample.childPeakBytes,
    accuracy: outcome.accuracy,
  };
}
