/** The cells of the tables: what each one runs, and what a paper or a benchmark says it comes to. */
import { sha256 } from '../../lib/formats/files/read-file.js';
import type { DataName } from './datasets.js';

/** One cell: a `fedbatch run` for each learning rate and each seed. */
export interface Cell {
  readonly table: TableName;
  /** What is trained and how, for people. */
  readonly title: string;
  readonly model: string;
  readonly data: DataName;
  /** Options of `fedbatch run` beside the data, the rounds, the learning rate, the seed, the target and the volume. */
  readonly options: readonly string[];
  /** At most. */
  readonly rounds: number;
  /** Learning rates to try, in this order. */
  readonly learningRates: readonly number[];
  /** Seeds 0, 1, … of each learning rate, unless the command line says how many. */
  readonly seeds: number;
  /** What is counted: the test accuracy, or the root mean squared error. */
  readonly metric: 'accuracy' | 'rmse';
  /** Test accuracy at which a run ends; without it, all rounds are run. */
  readonly target?: number;
  /** What was published of it, if anything: the rounds to the target, or in words. */
  readonly published?: { readonly rounds: number } | { readonly words: string };
}

/** Cells that stand in one table of docs/FEDAVG.md. */
export const TABLES = ['paper', 'beats', 'fedprox', 'niid-bench', 'strategies', 'own'] as const;

/** One of them. */
export type TableName = (typeof TABLES)[number];

/** K = 100, C = 0.1, SGD without momentum: Table 1 (2NN) and Table 2 (CNN) of McMahan et al. 2017. */
const paper = (batch: number | string, epochs: number): readonly string[] => [
  ...['--clients', '100', '--fraction', '0.1', '--batch', `${batch}`, '--epochs', `${epochs}`],
  ...['--optimizer', 'sgd', '--momentum', '0'],
];
const CNN = ['--model', 'mcmahan-cnn'];
const MLP = ['--model', '2nn'];
/** Two pieces of 300 examples, sorted by label, a client. */
const PATHOLOGICAL = ['--partition', 'pathological', '--pieces-per-client', '2'];
const FEDAVGM = ['--strategy', 'fedavgm', '--server-momentum', '0.7'];
const ONE_SEED = { data: 'mnist', metric: 'accuracy', seeds: 1 } as const;

/** Table 2: local epochs, batch size, rounds to 99 % with IID and with non-IID clients. */
const TABLE_2 = [
  [1, 'all', 626, 483],
  [5, 'all', 179, 1000],
  [1, 50, 65, 600],
  [1, 10, 34, 350],
  [5, 50, 29, 334],
  [5, 10, 20, 229],
  [20, 10, 18, 173],
] as const;

/** A cell of Table 2; rounds end at twice the paper's. */
function cnnCell(
  [epochs, batch]: readonly [number, number | string, ...unknown[]],
  { rounds, split }: { readonly rounds: number; readonly split: 'iid' | 'pathological' },
): readonly [string, Cell] {
  const isIid = split === 'iid';
  const cell: Cell = {
    ...{ ...ONE_SEED, table: 'paper', model: 'CNN' },
    title: `E = ${epochs}, B = ${batch === 'all' ? '∞' : batch}, ${isIid ? 'IID' : 'non-IID'}`,
    options: [...CNN, ...paper(batch, epochs), ...(isIid ? [] : PATHOLOGICAL)],
    rounds: Math.ceil((2 * rounds) / 100) * 100,
    ...{ learningRates: isIid ? [0.1, 0.2] : [0.05], target: 0.99, published: { rounds } },
  };
  return [`cnn-${split}-e${epochs}-b${batch}`, cell];
}

const CNN_CELLS = Object.fromEntries(
  TABLE_2.flatMap((row) => [
    cnnCell(row, { rounds: row[2], split: 'iid' }),
    cnnCell(row, { rounds: row[3], split: 'pathological' }),
  ]),
);

/** The named ones of Table 2. */
const cnnCells = (...names: readonly string[]): Readonly<Record<string, Cell>> =>
  Object.fromEntries(names.map((name) => [name, CNN_CELLS[name] as Cell]));

/** FedProx' experiment on MNIST (Li et al. 2020): 10 of 1,000 clients a round, power-law sizes, 2 classes each. */
const FEDPROX = [
  ...['--model', 'logistic', '--clients', '1000', '--fraction', '0.01', '--epochs', '20', '--batch', '10'],
  ...['--optimizer', 'sgd', '--momentum', '0'],
  ...['--partition', 'power-law', '--labels-per-client', '2', '--min-examples', '10'],
];

const fedproxCell = (title: string, more: readonly string[], words: string): Cell => ({
  ...{ table: 'fedprox', model: 'logistic', title, data: 'mnist', metric: 'accuracy', seeds: 5 },
  options: [...FEDPROX, ...more],
  ...{ rounds: 100, learningRates: [0.03], published: { words } },
});

const MOMENTUM = ['--momentum', '0.9'];

/** The strategies of niid_bench, and what of its settings they change. SGD's momentum is out of SCAFFOLD's paper. */
const STRATEGIES = {
  fedavg: { title: 'FedAvg', rates: [0.01], options: MOMENTUM },
  scaffold: { title: 'SCAFFOLD', rates: [0.03, 0.1], options: ['--strategy', 'scaffold', '--momentum', '0'] },
  fedprox: { title: 'FedProx, μ = 0.01', rates: [0.01], options: [...MOMENTUM, '--proximal', '0.01'] },
  fednova: { title: 'FedNova', rates: [0.01], options: [...MOMENTUM, '--strategy', 'fednova'] },
} as const;

/** Its splits, and its best accuracies of 50 rounds in percent, in the order of the strategies. */
const SPLITS = {
  iid: { title: 'IID', theirs: ['99.09', '99.06', '99.16', '99.05'], options: [] },
  dirichlet: {
    ...{ title: 'Dirichlet, α = 0.5', theirs: ['98.89', '99.07', '99.02', '98.03'] },
    options: ['--partition', 'dirichlet', '--alpha', '0.5'],
  },
  'three-labels': {
    ...{ title: '3 labels a client', theirs: ['97.86 ± 0.34', '97.8', '97.85 ± 0.06', '97.7'] },
    options: ['--partition', 'label-skew', '--labels-per-client', '3'],
  },
  'two-labels': {
    ...{ title: '2 labels a client', theirs: ['96.86 ± 0.30', '96.92', '96.85 ± 0.15', '96.65'] },
    options: ['--partition', 'label-skew', '--labels-per-client', '2'],
  },
  'one-label': {
    ...{ title: '1 label a client', theirs: ['19.33 ± 11.82', '9.9', '51.79 ± 26.75', '52.58 ± 14.08'] },
    options: ['--partition', 'label-skew', '--labels-per-client', '1'],
  },
} as const;

/** As in Flower's baselines/niid_bench (conf/fedavg_base.yaml), but for its weight decay of 1e-5. */
const NIID_BENCH = [
  ...['--model', 'lenet', '--clients', '10', '--epochs', '10', '--batch', '64', '--optimizer', 'sgd'],
];
/** Cut to minutes: a tenth of the images, 2 local epochs in place of 10, 10 rounds in place of 50. */
const CUT = ['--model', 'lenet', '--clients', '10', '--epochs', '2', '--batch', '64', '--optimizer', 'sgd'];

/** A cell of each strategy on each of some splits. */
const strategyCells = (
  splits: readonly (keyof typeof SPLITS)[],
  prefix: string,
  own: Pick<Cell, 'table' | 'data' | 'options' | 'rounds' | 'seeds'>,
): Readonly<Record<string, Cell>> =>
  Object.fromEntries(
    splits.flatMap((split) =>
      Object.entries(STRATEGIES).map(([name, strategy], at): readonly [string, Cell] => [
        `${prefix}-${split}-${name}`,
        {
          ...{
            ...own,
            metric: 'accuracy',
            model: 'LeNet',
            title: `${SPLITS[split].title}: ${strategy.title}`,
          },
          options: [...own.options, ...SPLITS[split].options, ...strategy.options],
          ...{ learningRates: strategy.rates, published: { words: `${SPLITS[split].theirs[at]} %` } },
        },
      ]),
    ),
  );

/** Cells by the name that the command line knows, in the order in which all of them run: the longest last. */
export const CELLS: Readonly<Record<string, Cell>> = {
  ...cnnCells('cnn-iid-e5-b10', 'cnn-iid-e1-b10'),
  '2nn-iid-e1-b10': {
    ...{ ...ONE_SEED, table: 'paper', model: '2NN', title: 'E = 1, B = 10, IID' },
    options: [...MLP, ...paper(10, 1)],
    ...{ rounds: 300, learningRates: [0.1], target: 0.97, published: { rounds: 87 } },
  },
  '2nn-iid-e1-b10-fedavgm': {
    ...{ ...ONE_SEED, table: 'beats', model: '2NN' },
    title: 'E = 1, B = 10, IID, FedAvgM with server momentum 0.7',
    options: [...MLP, ...paper(10, 1), ...FEDAVGM],
    ...{ rounds: 300, learningRates: [0.1], target: 0.97, published: { rounds: 87 } },
  },
  'cnn-iid-e1-b10-fedavgm': {
    ...{ ...ONE_SEED, table: 'beats', model: 'CNN' },
    title: 'E = 1, B = 10, IID, FedAvgM with server momentum 0.7',
    options: [...CNN, ...paper(10, 1), ...FEDAVGM],
    ...{ rounds: 100, learningRates: [0.1], target: 0.99, published: { rounds: 34 } },
  },
  '2nn-pathological-e1-b10': {
    ...{ ...ONE_SEED, table: 'paper', model: '2NN', title: 'E = 1, B = 10, non-IID' },
    options: [...MLP, ...paper(10, 1), ...PATHOLOGICAL],
    ...{ rounds: 1000, learningRates: [0.05], target: 0.97, published: { rounds: 664 } },
  },
  'fedprox-mnist-fedavg': fedproxCell('FedAvg', [], 'over 75 % after about 100 rounds'),
  'fedprox-mnist-fedprox': fedproxCell(
    'FedProx, μ = 1',
    ['--proximal', '1'],
    'over 75 % after about 100 rounds',
  ),
  speakers: {
    ...{ table: 'own', model: 'LSTM', data: 'speakers', metric: 'accuracy', seeds: 3 },
    title: 'next character, Romeo and Juliet by speaker',
    options: [
      ...['--model', 'lstm', '--hidden', '64', '--partition', 'by-key', '--key', 'speaker'],
      ...['--epochs', '3', '--batch', '32', '--optimizer', 'adam'],
    ],
    ...{ rounds: 20, learningRates: [0.005] },
  },
  ratings: {
    ...{ table: 'own', model: 'MLP of embeddings', data: 'ratings', metric: 'rmse', seeds: 3 },
    title: 'rating from 0.5 to 5 of a film, MovieLens by user',
    options: [
      ...['--model', 'mlp', '--hidden', '32', '--loss', 'mse', '--partition', 'by-key', '--key', 'user'],
      ...['--fraction', '0.1', '--epochs', '5', '--batch', '32', '--optimizer', 'sgd', '--momentum', '0'],
    ],
    ...{ rounds: 30, learningRates: [0.03, 0.1] },
  },
  ...strategyCells(['dirichlet', 'two-labels', 'one-label'], 'strategies', {
    ...{ table: 'strategies', data: 'mnist-tenth', options: CUT, rounds: 10, seeds: 1 },
  }),
  ...strategyCells(['iid', 'dirichlet', 'three-labels', 'two-labels', 'one-label'], 'niid', {
    ...{ table: 'niid-bench', data: 'mnist', options: NIID_BENCH, rounds: 50, seeds: 5 },
  }),
  ...CNN_CELLS,
};

/** A learning rate and a seed of a cell. */
export interface Trial {
  readonly learningRate: number;
  readonly seed: number;
}

/** Arguments of `fedbatch` for one trial of a cell. */
export function cellArguments(cell: Cell, { data, learningRate, seed }: Trial & { readonly data: string }) {
  const { options, rounds, target } = cell;
  return [
    ...['run', '--simulate', '--data', data, ...options],
    ...['--rounds', `${rounds}`, '--learning-rate', `${learningRate}`],
    ...(seed === 0 ? [] : ['--seed', `${seed}`]),
    ...(target === undefined ? [] : ['--target-accuracy', `${target}`]),
  ];
}

/** What a cell's results are of: more rounds, rates or seeds add to them, anything else makes others. */
export const settingsHash = ({ data, options, metric }: Cell): string =>
  sha256(JSON.stringify([data, options, metric])).slice(0, 16);
