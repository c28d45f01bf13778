/** The models whose training steps are timed, and a batch for each; `bench/peers/*_nets.py` build the same ones. */
import type { RandomStream } from '../lib/core/random.js';
import type { Batch } from '../lib/engine/engine.js';
import type { LossSettings } from '../lib/federation/loss.js';
import type { Layer } from '../lib/model/layers/registry.js';
import { functional, type ModelDescription, sequential } from '../lib/model/model-description.js';
import { describeModel } from '../lib/model/model-zoo.js';

/** A model whose step is timed. */
interface StepModel {
  readonly description: ModelDescription;
  readonly loss: LossSettings;
  /** Examples of a step. */
  readonly batchSize: number;
  /** Steps whose median counts: about three seconds of them. */
  readonly steps: number;
  /** A batch of random examples. */
  readonly batch: (random: RandomStream, count: number) => Batch;
}

const LABELS: LossSettings = { name: 'categorical_crossentropy' };

const uniform = (random: RandomStream, length: number) =>
  Float32Array.from({ length }, () => random.uniform());
const wholeNumbers = (random: RandomStream, length: number, below: number) =>
  Int32Array.from({ length }, () => random.integer(0, below - 1));

function ofImages(
  name: 'cnn' | 'mlp' | 'resnet',
  inputShape: readonly [number, number, number],
  work: Pick<StepModel, 'batchSize' | 'steps'>,
): StepModel {
  const [height, width, channels] = inputShape;
  return {
    ...work,
    description: describeModel(name, { inputShape, outputs: 10 }),
    loss: LABELS,
    batch: (random, count) => ({
      count,
      inputs: [uniform(random, count * height * width * channels)],
      targets: [wholeNumbers(random, count, 10)],
    }),
  };
}

/** Columns of whole numbers: how many there are, and how long their embeddings are (Guo and Berkhahn 2016, arXiv 1604.06737). */
const COLUMNS = [
  ['store', 1115, 10],
  ['weekday', 7, 6],
  ['year', 3, 2],
  ['month', 12, 6],
  ['day', 31, 10],
  ['state', 12, 6],
] as const;
const dense = (name: string, units: number, activation: 'relu' | 'sigmoid' | 'softmax'): Layer => ({
  kind: 'dense',
  name,
  units,
  useBias: true,
  activation,
});
const embedding = (name: string, below: number, units: number): Layer => ({
  kind: 'embedding',
  name,
  below,
  units,
  maskZero: false,
});

function table(): StepModel {
  const call = (layer: string, ...inputs: readonly string[]) => ({ layer, inputs, output: layer });
  const parts = COLUMNS.map(([name, below, units]) => embedding(`of_${name}`, below, units));
  return {
    batchSize: 256,
    steps: 200,
    description: functional({
      name: 'table',
      inputs: [...COLUMNS.map(([name]) => ({ name, shape: [] })), { name: 'promotion', shape: [1] }],
      layers: [
        ...parts,
        { kind: 'concatenate', name: 'all', axis: -1 },
        dense('first', 1000, 'relu'),
        dense('second', 500, 'relu'),
        dense('sales', 1, 'sigmoid'),
      ],
      calls: [
        ...COLUMNS.map(([name]) => call(`of_${name}`, name)),
        call('all', ...parts.map(({ name }) => name), 'promotion'),
        call('first', 'all'),
        call('second', 'first'),
        call('sales', 'second'),
      ],
      outputs: ['sales'],
    }),
    loss: { name: 'mse' },
    batch: (random, count) => ({
      count,
      inputs: [
        ...COLUMNS.map(([, below]) => Float32Array.from(wholeNumbers(random, count, below))),
        uniform(random, count),
      ],
      targets: [uniform(random, count)],
    }),
  };
}

const CHARACTERS = 90;
const LENGTH = 80;

function lstm(): StepModel {
  return {
    batchSize: 32,
    steps: 60,
    description: sequential({
      name: 'lstm',
      inputShape: [LENGTH],
      layers: [
        embedding('embedding', CHARACTERS, 8),
        {
          ...{
            kind: 'lstm',
            name: 'lstm',
            units: 128,
            cellActivation: 'tanh',
            recurrentActivation: 'sigmoid',
          },
          ...{ useBias: true, unitForgetBias: true, returnSequences: false, goBackwards: false },
          zeroOutputForMask: false,
        },
        dense('dense', CHARACTERS, 'softmax'),
      ],
    }),
    loss: LABELS,
    batch: (random, count) => ({
      count,
      inputs: [Float32Array.from(wholeNumbers(random, count * LENGTH, CHARACTERS))],
      targets: [wholeNumbers(random, count, CHARACTERS)],
    }),
  };
}

/** By the name in `npm run bench -- step-<name>`. */
export const STEP_MODELS = {
  cnn: ofImages('cnn', [28, 28, 1], { batchSize: 100, steps: 20 }),
  dense: ofImages('mlp', [28, 28, 1], { batchSize: 64, steps: 1000 }),
  table: table(),
  lstm: lstm(),
  resnet: ofImages('resnet', [32, 32, 3], { batchSize: 64, steps: 12 }),
} satisfies Readonly<Record<string, StepModel>>;

/** The name of one of them. */
export type StepModelName = keyof typeof STEP_MODELS;
