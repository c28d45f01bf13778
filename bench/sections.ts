/** What `npm run bench` measures, section by section: each returns a table for docs/BENCHMARKS.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { initialWeights } from '../lib/engine/initial-weights.js';
import { kerasConfig } from '../lib/engine/keras-model.js';
import { describeModel } from '../lib/engine/model-zoo.js';
import { randomStream } from '../lib/federation/random.js';
import { writeKerasFile } from '../lib/formats/keras-hdf5.js';
import { formatBytes } from '../lib/observability/format.js';
import { interleave, median, type ProcessSample, sampleProcess } from './measure.js';
import { findTorch } from './peers.js';

/** A table: header and rows, as they stand in the report. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Settings that all sections share. */
export interface BenchOptions {
  /** The dataset (npz with x_train, …): MNIST. */
  readonly data: string;
  readonly rounds: number;
}

const program = (path: string) => fileURLToPath(new URL(`../${path}.js`, import.meta.url));
/** Runs `fedbatch` to its end. */
export const fedbatch = (...args: readonly string[]) =>
  sampleProcess(process.execPath, [program('cli'), ...args]);

/** A training step of the CNN beside PyTorch with the same number of threads. */
export async function benchStep({ rounds }: BenchOptions): Promise<Table> {
  const torch = await findTorch();
  const rows: string[][] = [];
  for (const threads of [1, 2]) {
    const steps = ['20', '100'];
    const samples = await interleave(rounds, {
      fedbatch: async () =>
        stepFigures(
          await sampleProcess(process.execPath, [program('bench/step-onnx'), `${threads}`, ...steps]),
        ),
      torch: async () =>
        stepFigures(
          await sampleProcess(torch.command, [
            join('bench', 'peers', 'torch_step.py'),
            `${threads}`,
            ...steps,
          ]),
        ),
    });
    const middle = (side: string, figure: keyof StepFigures) =>
      median((samples[side] ?? []).map((each) => each[figure]));
    const ratio = median(
      (samples.fedbatch ?? []).map(
        (each, round) => each.imagesPerSecond / (samples.torch?.[round]?.imagesPerSecond ?? Number.NaN),
      ),
    );
    for (const [side, name] of [
      ['fedbatch', 'fedbatch, ONNX engine'],
      ['torch', `PyTorch ${torch.version}, channels_last`],
    ] as const) {
      rows.push([
        name,
        `${threads}`,
        `${middle(side, 'stepMs').toFixed(1)} ms`,
        middle(side, 'imagesPerSecond').toFixed(0),
        side === 'fedbatch' ? `${ratio.toFixed(2)}×` : '1×',
        `${middle(side, 'firstStepSeconds').toFixed(2)} s`,
        formatBytes(middle(side, 'peakBytes')),
      ]);
    }
  }
  return {
    header: ['engine', 'threads', 'step', 'images/s', 'speed', 'first step after start', 'peak memory'],
    rows,
  };
}

interface StepFigures {
  readonly stepMs: number;
  readonly imagesPerSecond: number;
  readonly firstStepSeconds: number;
  readonly peakBytes: number;
}

function stepFigures({ stdout, peakBytes }: ProcessSample): StepFigures {
  return { ...(JSON.parse(stdout) as Omit<StepFigures, 'peakBytes'>), peakBytes };
}

/** The stages around training as whole processes: split, one trainer, aggregation, accuracy test. */
export async function benchStages({ data, rounds }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const at = (name: string) => join(directory, name);
    await writeUpdates(at('100'), 100);
    await writeUpdates(at('1000'), 1000);
    const shard = at('shards/0.npz');
    const split = (target: string) =>
      fedbatch('split', '--data', data, '--n-container', '3', '--savedir', target);
    await split(at('shards'));
    let fresh = 0;
    const samples = await interleave(rounds, {
      'split 60,000 images into 3 shards': () => split(at(`split-${fresh++}`)),
      'aggregate 100 updates of 0.5 MB': () =>
        fedbatch('aggregate', '--dir', at('100'), '--savefile', at('100.h5')),
      'aggregate 1,000 updates of 0.5 MB': () =>
        fedbatch('aggregate', '--dir', at('1000'), '--savefile', at('1000.h5')),
      'train 20,000 images, 1 epoch, batch 100, 2 threads': () =>
        fedbatch('train', '--data', shard, '--epoch', '1', '--threads', '2', '--savemodel', at('0.h5')),
      'test 10,000 images, 2 threads': () =>
        fedbatch('evaluate', '--modelpath', at('0.h5'), '--data', at('shards/test.npz'), '--threads', '2'),
    });
    const rows = Object.entries(samples).map(([name, each]) => [
      name,
      `${median(each.map(({ seconds }) => seconds)).toFixed(2)} s`,
      formatBytes(median(each.map(({ peakBytes }) => peakBytes))),
    ]);
    return { header: ['stage, as a whole process', 'wall time', 'peak memory'], rows };
  });
}

/** The whole job: split, 3 clients × 2 epochs × batch 100, aggregate, accuracy test. */
export async function benchJob({ data }: BenchOptions): Promise<Table> {
  return withDirectory(async (directory) => {
    const { stdout } = await fedbatch(
      'run',
      '--data',
      data,
      '--clients',
      '3',
      '--epochs',
      '2',
      '--batch',
      '100',
      '--volume',
      join(directory, 'volume'),
      '--json',
    );
    const { accuracy, loss, seconds } = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as {
      readonly accuracy: number;
      readonly loss: number;
      readonly seconds: Readonly<Record<string, number>>;
    };
    const names = Object.keys(seconds);
    return {
      header: ['accuracy on 10,000 test images', 'loss', ...names.map((name) => `${name}`)],
      rows: [
        [
          `${(accuracy * 100).toFixed(2)} %`,
          loss.toFixed(4),
          ...names.map((name) => `${seconds[name]?.toFixed(1)} s`),
        ],
      ],
    };
  });
}

/** Random updates of one parent: 110,986 float32 parameters each. */
async function writeUpdates(directory: string, count: number): Promise<void> {
  const description = describeModel('cnn', { inputShape: [28, 28, 1], classes: 10 });
  const weights = initialWeights(description, 0);
  for (let client = 0; client < count; client++) {
    const random = randomStream(client, 'bench-update');
    await writeKerasFile(join(directory, `${client}.h5`), {
      modelConfig: kerasConfig(description),
      kerasVersion: '2.15.0',
      weights: weights.map((array) => ({
        ...array,
        values: array.values.map((value) => value + random.uniform() * 0.01),
      })),
      update: { client, round: 1, examples: 100 + client, parent: '0'.repeat(64) },
    });
  }
}

async function withDirectory<T>(use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'fedbatch-bench-'));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
