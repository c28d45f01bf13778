/** The cells of the two tables: what each one runs, and what the paper or the benchmark says it comes to. */

/** One cell: a `fedbatch run` for each learning rate tried. */
export interface Cell {
  readonly table: TableName;
  /** What is trained and how, for people. */
  readonly title: string;
  readonly model: 'CNN' | '2NN' | 'LeNet';
  /** Options of `fedbatch run` beside the data, the learning rate, and the volume. */
  readonly options: readonly string[];
  /** Trains on every so manieth image alone; on all where it is absent. */
  readonly everyImage?: number;
  /** Learning rates to try, in this order. */
  readonly learningRates: readonly number[];
  /** Test accuracy at which a run ends. */
  readonly target: number;
  /** The reference: rounds to that target, or the best accuracy ever. */
  readonly reference: { readonly rounds: number } | { readonly bestAccuracy: number };
}

/** Cells that stand in one table of docs/FEDAVG.md. */
export type TableName = 'paper' | 'beats' | 'niid-bench' | 'strategies';

/** K = 100, C = 0.1, B = 10, SGD without momentum: Table 1 (2NN) and Table 2 (CNN) of McMahan et al. 2017. */
const PAPER = [
  ...['--clients', '100', '--fraction', '0.1'],
  ...['--batch', '10', '--optimizer', 'sgd', '--momentum', '0'],
];
const CNN = ['--model', 'mcmahan-cnn'];
const MLP = ['--model', '2nn'];
/** Two pieces of 300 examples, sorted by label, a client. */
const PATHOLOGICAL = ['--partition', 'pathological', '--pieces-per-client', '2'];

/** As in Flower's baselines/niid_bench (conf/fedavg_base.yaml), but for its weight decay of 1e-5. */
const NIID_BENCH = [
  ...['--model', 'lenet', '--clients', '10', '--epochs', '10', '--batch', '64'],
  ...['--optimizer', 'sgd', '--momentum', '0.9', '--rounds', '50'],
];

const MOMENTUM = ['--momentum', '0.9'];

/** The strategies of niid_bench, and what of its settings they change. SGD's momentum is out of SCAFFOLD's paper. */
const STRATEGIES = {
  fedavg: { title: 'FedAvg', rates: [0.01], options: MOMENTUM },
  scaffold: { title: 'SCAFFOLD', rates: [0.03, 0.1], options: ['--strategy', 'scaffold', '--momentum', '0'] },
  fedprox: { title: 'FedProx, μ = 0.01', rates: [0.01], options: [...MOMENTUM, '--proximal', '0.01'] },
  fednova: { title: 'FedNova', rates: [0.01], options: [...MOMENTUM, '--strategy', 'fednova'] },
} as const;

/** Its splits that are not IID, and its best accuracies of 50 rounds in the order of the strategies. */
const SPLITS = {
  dirichlet: {
    ...{ title: 'Dirichlet, α = 0.5', theirs: [0.9889, 0.9907, 0.9902, 0.9803] },
    options: ['--partition', 'dirichlet', '--alpha', '0.5'],
  },
  'two-labels': {
    ...{ title: '2 labels a client', theirs: [0.9686, 0.9692, 0.9685, 0.9665] },
    options: ['--partition', 'label-skew', '--labels-per-client', '2'],
  },
  'one-label': {
    ...{ title: '1 label a client', theirs: [0.193, 0.099, 0.518, 0.526] },
    options: ['--partition', 'label-skew', '--labels-per-client', '1'],
  },
} as const;

/** Cut to minutes: a tenth of the images, 2 local epochs in place of 10, 10 rounds in place of 50. */
const CUT = [
  ...['--model', 'lenet', '--clients', '10', '--epochs', '2', '--batch', '64'],
  ...['--optimizer', 'sgd', '--rounds', '10'],
];

const strategyCells = (): readonly (readonly [string, Cell])[] =>
  Object.entries(SPLITS).flatMap(([split, { title, theirs, options }]) =>
    Object.entries(STRATEGIES).map(([name, strategy], at) => {
      const cell: Cell = {
        ...{ table: 'strategies', model: 'LeNet', title: `${title}: ${strategy.title}`, everyImage: 10 },
        options: [...CUT, ...options, ...strategy.options],
        ...{ learningRates: strategy.rates, target: 1, reference: { bestAccuracy: theirs[at] as number } },
      };
      return [`strategies-${split}-${name}`, cell] as const;
    }),
  );

/** Cells by the name that the command line knows, in the order in which all of them run: the longest last. */
export const CELLS: Readonly<Record<string, Cell>> = {
  'cnn-iid-e5-b10': {
    ...{ table: 'paper', model: 'CNN', title: 'E = 5, B = 10, IID' },
    options: [...CNN, ...PAPER, '--epochs', '5', '--rounds', '100'],
    ...{ learningRates: [0.1, 0.2], target: 0.99, reference: { rounds: 20 } },
  },
  'cnn-iid-e1-b10': {
    ...{ table: 'paper', model: 'CNN', title: 'E = 1, B = 10, IID' },
    options: [...CNN, ...PAPER, '--epochs', '1', '--rounds', '100'],
    ...{ learningRates: [0.1, 0.2], target: 0.99, reference: { rounds: 34 } },
  },
  '2nn-iid-e1-b10': {
    ...{ table: 'paper', model: '2NN', title: 'E = 1, B = 10, IID' },
    options: [...MLP, ...PAPER, '--epochs', '1', '--rounds', '300'],
    ...{ learningRates: [0.1], target: 0.97, reference: { rounds: 87 } },
  },
  '2nn-iid-e1-b10-fedavgm': {
    ...{ table: 'beats', model: '2NN', title: 'E = 1, B = 10, IID, FedAvgM with server momentum 0.7' },
    options: [
      ...[...MLP, ...PAPER, '--epochs', '1', '--rounds', '300'],
      ...['--strategy', 'fedavgm', '--server-momentum', '0.7'],
    ],
    ...{ learningRates: [0.1], target: 0.97, reference: { rounds: 87 } },
  },
  'cnn-iid-e1-b10-fedavgm': {
    ...{ table: 'beats', model: 'CNN', title: 'E = 1, B = 10, IID, FedAvgM with server momentum 0.7' },
    options: [
      ...[...CNN, ...PAPER, '--epochs', '1', '--rounds', '100'],
      ...['--strategy', 'fedavgm', '--server-momentum', '0.7'],
    ],
    ...{ learningRates: [0.1], target: 0.99, reference: { rounds: 34 } },
  },
  '2nn-pathological-e1-b10': {
    ...{ table: 'paper', model: '2NN', title: 'E = 1, B = 10, non-IID' },
    options: [...MLP, ...PAPER, '--epochs', '1', ...PATHOLOGICAL, '--rounds', '1000'],
    ...{ learningRates: [0.05], target: 0.97, reference: { rounds: 664 } },
  },
  'niid-iid': {
    ...{ table: 'niid-bench', model: 'LeNet', title: 'IID' },
    options: NIID_BENCH,
    ...{ learningRates: [0.01], target: 0.9879, reference: { bestAccuracy: 0.9909 } },
  },
  'niid-dirichlet': {
    ...{ table: 'niid-bench', model: 'LeNet', title: 'Dirichlet, α = 0.5' },
    options: [...NIID_BENCH, '--partition', 'dirichlet', '--alpha', '0.5'],
    ...{ learningRates: [0.01], target: 0.9859, reference: { bestAccuracy: 0.9889 } },
  },
  ...Object.fromEntries(strategyCells()),
  'cnn-pathological-e5-b10': {
    ...{ table: 'paper', model: 'CNN', title: 'E = 5, B = 10, non-IID' },
    options: [...CNN, ...PAPER, '--epochs', '5', ...PATHOLOGICAL, '--rounds', '500'],
    ...{ learningRates: [0.05], target: 0.99, reference: { rounds: 229 } },
  },
};

/** Arguments of `fedbatch` for one learning rate of a cell. */
export function cellArguments(
  { options, target }: Cell,
  { data, learningRate }: { readonly data: string; readonly learningRate: number },
): readonly string[] {
  return [
    ...['run', '--simulate', '--data', data, ...options],
    ...['--learning-rate', `${learningRate}`, '--target-accuracy', `${target}`],
  ];
}
