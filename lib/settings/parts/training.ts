/** Settings of local training: what a client does in a round, and how the learning rate changes over rounds. */
import type { AskedSettings } from '../complete.js';
import { part } from '../setting.js';
import { choice, number, onOff, whole } from '../value-type.js';

/** The optimizer that a model was compiled with; adam where it was not. */
export const COMPILED = 'compiled';

/** What a client does in a round. */
export const TRAINING = part('training', {
  epochs: {
    type: whole({ min: 1 }),
    default: 2,
    help: 'local epochs: passes over the shard',
    symbol: 'E',
    unit: 'epochs',
    group: 'Model and local training',
    rank: 5,
    stages: ['train', 'simulate'],
    placeholder: 'EPOCH',
    affects: 'results',
    recorded: 'if-known',
    reportName: 'local epochs E',
  },
  localSteps: {
    type: whole({ min: 1 }),
    insteadOf: 'training.epochs',
    help: 'steps in place of epochs; 1 is synchronous data parallelism',
    symbol: 'n',
    unit: 'steps',
    group: 'Model and local training',
    stages: ['train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
  },
  batch: {
    type: whole({ min: 1, words: ['all'] }),
    default: 100,
    help: 'examples per step; all takes the whole shard in one step',
    symbol: 'B',
    unit: 'examples',
    group: 'Model and local training',
    rank: 6,
    stages: ['train', 'simulate'],
    placeholder: 'BATCH',
    affects: 'results',
    recorded: 'always',
    reportName: 'batch size B',
  },
  optimizer: {
    type: choice(['adam', 'sgd', COMPILED]),
    default: 'adam',
    help: "the clients' optimizer; compiled is the one that the model of --init was compiled with",
    symbol: 'name',
    group: 'Model and local training',
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'always',
  },
  learningRate: {
    type: number({ min: 0 }),
    // Keras' defaults.
    defaultsBy: { place: 'training.optimizer', defaults: { adam: 0.001, sgd: 0.01, [COMPILED]: undefined } },
    otherwise: '0.001 with adam; 0.01 with sgd; that of a compiled model',
    help: "the clients' learning rate",
    symbol: 'eta',
    group: 'Model and local training',
    rank: 7,
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
    reportName: 'learning rate η',
  },
  learningRateDecay: {
    type: number({ above: 0, max: 1, words: ['cosine'] }),
    default: 1,
    help: 'factor on the learning rate after each round; cosine lets it fall to 0 over the run',
    symbol: 'factor',
    group: 'Model and local training',
    stages: [],
    affects: 'results',
    recorded: 'if-changed',
  },
  warmUpRounds: {
    type: whole(),
    default: 0,
    help: 'rounds in which the learning rate rises to its full value',
    symbol: 'count',
    unit: 'rounds',
    group: 'Model and local training',
    stages: [],
    affects: 'results',
    recorded: 'if-changed',
  },
  scaleLearningRate: {
    type: onOff,
    default: false,
    help: "multiply the learning rate by the number of a round's clients",
    group: 'Model and local training',
    stages: [],
    affects: 'results',
    recorded: 'if-changed',
  },
  momentum: {
    type: number({ min: 0, max: 1 }),
    defaultsBy: { place: 'training.optimizer', defaults: { adam: 0.9, sgd: 0.9, [COMPILED]: undefined } },
    otherwise: '0.9; that of a compiled model',
    help: 'momentum of sgd',
    symbol: 'share',
    group: 'Model and local training',
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
  },
  proximal: {
    type: number({ min: 0 }),
    default: 0,
    help: 'FedProx: how strongly weights are kept near the global model',
    symbol: 'mu',
    group: 'Model and local training',
    stages: ['train', 'simulate'],
    affects: 'results',
    recorded: 'if-changed',
    reportName: 'proximal μ',
  },
});

/** What a client does in a round, as a run's settings hold it. */
export type TrainingValues = NonNullable<(typeof TRAINING)['shape']>['training'];

/** What is asked for of an optimizer, as much as was given. */
export type OptimizerFlags = Partial<Pick<TrainingValues, 'optimizer' | 'learningRate' | 'momentum'>>;

/** What is asked for of the optimizer: a model may say what is not. */
export function optimizerAsked({ given }: Pick<AskedSettings, 'given'>): OptimizerFlags {
  const names = ['optimizer', 'learningRate', 'momentum'] as const;
  const asked = names.flatMap((name) => {
    const value = given[`training.${name}`];
    return value === undefined || value === COMPILED ? [] : [[name, value]];
  });
  return Object.fromEntries(asked);
}
