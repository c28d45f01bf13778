/** The cells of the two tables: what each one runs, and what the paper or the benchmark says it comes to. */

/** One cell: a `fedbatch run` for each learning rate tried. */
export interface Cell {
  readonly table: TableName;
  /** What is trained and how, for people. */
  readonly title: string;
  readonly model: 'CNN' | '2NN' | 'LeNet';
  /** Options of `fedbatch run` beside the data, the learning rate, and the volume. */
  readonly options: readonly string[];
  /** Learning rates to try, in this order. */
  readonly learningRates: readonly number[];
  /** Test accuracy at which a run ends. */
  readonly target: number;
  /** The reference: rounds to that target, or the best accuracy ever. */
  readonly reference: { readonly rounds: number } | { readonly bestAccuracy: number };
}

/** Cells that stand in one table of docs/FEDAVG.md. */
export type TableName = 'paper' | 'beats' | 'niid-bench';

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
