/** Settings of local training: what a client does in a round, and how the learning rate changes over rounds. */

import { UsageError } from '../../core/errors.js';
import { readClassWeights } from '../../federation/class-weights.js';
import { type AskedLoss, LOSS_NAMES, parseAskedLoss, writeAskedLoss } from '../../federation/loss.js';
import { OPTIMIZER_NAMES, OPTIMIZERS, type OptimizerName } from '../../model/optimizers/optimizer-names.js';
import type { AskedSettings } from '../complete.js';
import { type Naming, part } from '../setting.js';
import { choice, number, onOff, text, whole } from '../value-type.js';

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
  loss: {
    type: text(
      `auto, or one of ${LOSS_NAMES.join(', ')}, with its parameters as in huber:delta=0.5, ` +
        'or one for each of several outputs as in price=mse,kind=categorical_crossentropy',
      (given) => {
        if (given === 'auto') return given;
        const loss = parseAskedLoss(given);
        return loss && writeAskedLoss(loss);
      },
      { names: LOSS_NAMES },
    ),
    default: 'auto',
    otherwise: 'auto, that of a compiled model, or what goes with model and data',
    help: 'loss (or a=mse,b=mae)',
    symbol: 'name',
    group: 'Model and local training',
    stages: ['split', 'init', 'train', 'evaluate', 'simulate'],
    affects: 'results',
    recorded: 'if-changed',
    reportName: 'loss',
  },
  classWeights: {
    type: text('balanced, or weights of classes such as 0:1,1:5', readClassWeights),
    otherwise: 'none',
    help: 'how much examples of a class count in training: balanced, or weights such as 0:1,1:5',
    symbol: 'weights',
    group: 'Model and local training',
    stages: ['train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
  },
  optimizer: {
    type: choice<OptimizerName | typeof COMPILED>([...OPTIMIZER_NAMES, COMPILED]),
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
    defaultsBy: {
      place: 'training.optimizer',
      defaults: {
        ...Object.fromEntries(OPTIMIZER_NAMES.map((name) => [name, OPTIMIZERS[name].learningRate])),
        [COMPILED]: undefined,
      },
    },
    otherwise: '0.01 with sgd; 0.001 with others; that of a compiled model',
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
    defaultsBy: {
      place: 'training.optimizer',
      defaults: { adam: 0.9, sgd: 0.9, rmsprop: 0, [COMPILED]: undefined },
      // Records of the first version have it beside adam, too.
      idle: ['adam'],
    },
    otherwise: '0.9 with sgd; 0 with rmsprop; that of a compiled model',
    help: 'momentum of sgd and rmsprop',
    symbol: 'share',
    group: 'Model and local training',
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
  },
  nesterov: {
    type: onOff,
    default: false,
    help: 'Nesterov momentum in place of plain momentum, for sgd',
    group: 'Model and local training',
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'if-changed',
  },
  weightDecay: {
    type: number({ min: 0 }),
    otherwise: `none; ${OPTIMIZERS.adamw.weightDecay} with adamw`,
    help: 'share of the weights, times the learning rate, that each step takes off them',
    symbol: 'lambda',
    group: 'Model and local training',
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
  },
  clipGradientValue: {
    type: number({ above: 0 }),
    otherwise: 'no bound',
    help: 'largest size of each number of a gradient',
    symbol: 'value',
    group: 'Model and local training',
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
  },
  clipGradientNorm: {
    type: number({ above: 0 }),
    otherwise: 'no bound',
    help: 'largest length of the gradient of each array of weights',
    symbol: 'length',
    group: 'Model and local training',
    stages: ['init', 'train', 'simulate'],
    affects: 'results',
    recorded: 'if-known',
  },
  clipGradientGlobalNorm: {
    type: number({ above: 0 }),
    otherwise: 'no bound',
    help: 'largest length of the gradient of the whole model',
    symbol: 'length',
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

/** The settings that together say which optimizer trains; a compiled model file may say what is not given. */
export const OPTIMIZER_SETTINGS = [
  'optimizer',
  'learningRate',
  'momentum',
  'nesterov',
  'weightDecay',
  'clipGradientValue',
  'clipGradientNorm',
  'clipGradientGlobalNorm',
] as const;

/** The name of such a setting. */
export type OptimizerSetting = (typeof OPTIMIZER_SETTINGS)[number];

/** What is asked for of an optimizer, as much as was given. */
export type OptimizerFlags = Partial<Pick<TrainingValues, OptimizerSetting>>;

/** What is asked for of the optimizer: a model may say what is not. */
export function optimizerAsked({ given }: Pick<AskedSettings, 'given'>): OptimizerFlags {
  const asked = OPTIMIZER_SETTINGS.flatMap((name) => {
    const value = given[`training.${name}`];
    return value === undefined || value === COMPILED ? [] : [[name, value]];
  });
  return Object.fromEntries(asked);
}

/** The loss that was asked for by name; none where it follows from model and data. */
export function lossAsked(training: { readonly loss?: string | undefined }): AskedLoss | undefined {
  return training.loss === undefined ? undefined : parseAskedLoss(training.loss);
}

/** Whether the settings of the optimizer go together. @throws {UsageError} with what was given */
export function checkOptimizer(training: Partial<TrainingValues>, named: Naming): void {
  const { optimizer, nesterov } = training;
  if (nesterov === true && optimizer !== 'sgd') {
    throw new UsageError(
      `${named('training.nesterov')} goes with ${named('training.optimizer')} sgd alone, found ${optimizer}.`,
    );
  }
  const clips = OPTIMIZER_SETTINGS.filter((name) => name.startsWith('clip') && training[name] !== undefined);
  const [first, second] = clips.map((name) => `${named(`training.${name}`)} ${training[name]}`);
  if (second === undefined) return;
  throw new UsageError(`${first} and ${second} contradict each other: give one of them.`);
}
