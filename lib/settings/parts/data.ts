/** Settings of the data: the dataset, the scale of its images, the seed, the model. */
import { basename } from 'node:path';
import { formatScale, parseScale } from '../../federation/pixel-scale.js';
import { MODEL_NAMES } from '../../model/model-zoo.js';
import { part, topPart } from '../setting.js';
import { choice, text, whole } from '../value-type.js';

/** The datasets that are known by name; anything else is a path. */
export const DATASET_NAMES: readonly string[] = ['digits', 'mnist'];

/** Everything random derives from it. */
export const SEED = topPart({
  seed: {
    type: whole(),
    default: 0,
    help: 'seed of everything random',
    helpIn: {
      split: 'seed of the partition and of the held-out examples',
      init: 'seed of the weights',
      train: 'seed of initial weights, shuffling and dropout',
      aggregate: 'seed of the noise with --dp-noise-source seed',
      simulate: 'seed of shuffling, dropout and noise',
    },
    symbol: 'number',
    group: 'Data and partition',
    rank: 8,
    stages: ['split', 'init', 'train', 'simulate'],
    placeholder: 'SEED',
    affects: 'results',
    recorded: 'always',
  },
});

const SHA256 = text('64 hexadecimal digits', (given) => (/^[0-9a-f]{64}$/.test(given) ? given : undefined));

/** A scale that is given by hand; in records, as it is written. */
export const SCALE_TYPE = text(
  'auto, or two different numbers such as -1..1, or a pair for each channel with commas between',
  (given) => {
    if (given === 'auto') return given;
    const read = parseScale(given);
    return read === undefined ? undefined : formatScale(read);
  },
);

/** What is dealt. */
export const DATASET = part('dataset', {
  name: {
    type: text('a dataset'),
    isFile: true,
    flag: 'data',
    default: 'digits',
    help: `dataset: a file or folder (npz, CSV, Parquet, pictures by class, IDX), or one of ${DATASET_NAMES.join(', ')}`,
    helpIn: {
      split:
        'dataset: an npz with arrays x_train, y_train, x_test, y_test, or x, y; CSV, Parquet, pictures in a folder for each ' +
        `class, IDX files, or a data.yaml; or one of ${DATASET_NAMES.join(', ')}; for --partition given a directory of shards`,
    },
    symbol: 'path',
    group: 'Data and partition',
    rank: 1,
    stages: ['split'],
    placeholder: 'DATASET',
    affects: 'results',
    recorded: 'always',
    reportName: 'dataset',
  },
  scale: {
    type: SCALE_TYPE,
    default: 'auto',
    otherwise: 'auto, found in the images',
    help: 'numbers that are black and white, e.g. -1..1; a pair for each channel with commas',
    symbol: 'black..white',
    group: 'Data and partition',
    stages: ['split'],
    placeholder: 'SCALE',
    affects: 'results',
    recorded: 'if-changed',
  },
  normalize: {
    type: choice(['on', 'off']),
    otherwise: 'on for the numbers of a table',
    help: 'whether a new mlp, logistic, 2nn or lstm begins with a Normalization by mean and deviation',
    helpIn: {
      split:
        'whether manifest.json tells mean and deviation of the numbers, by which new models normalise them',
    },
    symbol: 'on|off',
    group: 'Data and partition',
    stages: ['split'],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'normalisation',
  },
  minClientsPerStatistic: {
    type: whole({ min: 1 }),
    default: 1,
    help: 'fewest clients that must contribute to a category, minimum or maximum; others are withheld',
    symbol: 'clients',
    group: 'Data and partition',
    stages: ['split'],
    affects: 'results',
    recorded: 'if-changed',
    reportName: 'clients behind a statistic',
  },
  histogramBins: {
    type: whole({ min: 2, max: 1000 }),
    otherwise: 'no histograms',
    help: 'bins of a histogram of each column of numbers that has statistics, in manifest.json and the report',
    symbol: 'bins',
    group: 'Data and partition',
    stages: ['split'],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'bins of histograms',
  },
  sha256: {
    type: SHA256,
    flag: false,
    help: 'sha256 of the dataset: a run records it once the data were read',
    group: 'Data and partition',
    stages: [],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'sha256 of the dataset',
  },
});

/** What is trained where nothing else is asked for. */
export const DEFAULT_MODEL = 'cnn';

/** What is trained. */
export const MODEL = part('model', {
  name: {
    type: choice(MODEL_NAMES),
    default: DEFAULT_MODEL,
    help: 'the model',
    helpIn: { train: 'the model, where there is no --init' },
    symbol: 'name',
    group: 'Model and local training',
    rank: 2,
    stages: ['init', 'train'],
    placeholder: 'MODEL',
    affects: 'results',
    recorded: 'if-known',
    reportName: 'model',
  },
  hidden: {
    type: text('numbers of units with commas between, e.g. 64,32', readHidden),
    defaultsBy: { place: 'model.name', defaults: { mlp: undefined, lstm: undefined } },
    otherwise: '128, of mlp with a dropout of 0.2',
    help: 'mlp and lstm: units of each hidden layer, with commas between',
    symbol: 'units',
    group: 'Model and local training',
    stages: ['init', 'train'],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'hidden layers',
  },
  init: {
    type: text('a path'),
    isFile: true,
    insteadOf: 'model.name',
    help: "start from this Keras model; a compiled one brings the clients' optimizer",
    helpIn: { init: 'start from this Keras model: checked against the data, and written as a global model' },
    symbol: 'file',
    group: 'Model and local training',
    rank: 2,
    stages: ['init'],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'initial model',
  },
  config: {
    type: text('a path'),
    isFile: true,
    flag: 'model-config',
    insteadOf: 'model.name',
    help: "the model of this architecture (JSON, Keras' to_json), with weights by the seed",
    symbol: 'json',
    group: 'Model and local training',
    stages: ['init'],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'architecture',
  },
  task: {
    type: text('a path'),
    isFile: true,
    insteadOf: 'model.name',
    help: 'model, loss and preprocessing from this module (TypeScript or JavaScript; see init-task)',
    helpIn: { split: 'prepare the examples as this module says (TypeScript or JavaScript; see init-task)' },
    symbol: 'file',
    group: 'Model and local training',
    stages: ['split', 'init'],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'task',
  },
  sha256: {
    type: SHA256,
    flag: false,
    help: 'sha256 of the model or task that a run starts from: recorded once it was read',
    group: 'Model and local training',
    stages: [],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'sha256 of the initial model',
  },
});

/** What is trained, as a run's settings hold it. */
export type ModelValues = NonNullable<(typeof MODEL)['shape']>['model'];

/** The file that a model comes in; undefined where it is one of ours. */
export const modelFile = ({ init, config, task }: ModelValues): string | undefined => init ?? config ?? task;

/** What people call a model: its name, or that of the file that it comes in. */
export const modelTitle = (model: ModelValues): string => model.name ?? basename(modelFile(model) ?? '');

/** `64, 32` → `64,32`; undefined for what are no numbers of units. */
function readHidden(given: string): string | undefined {
  const units = given.split(',').map((each) => each.trim());
  return units.every((each) => /^[1-9]\d{0,5}$/.test(each)) ? units.join(',') : undefined;
}
