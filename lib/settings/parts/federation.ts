/** Settings of the federation: clients, rounds, who takes part, when the rounds end, which failures are tolerated. */
import { METRIC_NAMES, parseThreshold, writeThreshold } from '../../federation/metrics.js';
import { parseQuorum } from '../../federation/quorum.js';
import { part } from '../setting.js';
import { number, onOff, text, whole } from '../value-type.js';

/** A day: a timer of Node's takes 24 of them at most. */
const MAX_DEADLINE_SECONDS = 86_400;

/** A metric with the value that is to be reached; in records, as it is written. */
export const METRIC_TYPE = text(
  `a metric and its value such as rmse=3.2, one of ${METRIC_NAMES.join(', ')}`,
  (given) => {
    const threshold = parseThreshold(given);
    return threshold && writeThreshold(threshold);
  },
);

/** The clients. */
export const CLIENTS = part('federation', {
  clients: {
    type: whole({ min: 1 }),
    default: 3,
    otherwise: '3; with --partition by-key or given, the number in the data',
    help: 'number of clients, K',
    helpIn: {
      split:
        'number of shards, one for each client; with --partition by-key or given it follows from the data',
    },
    symbol: 'count',
    unit: 'clients',
    group: 'Rounds and participation',
    rank: 3,
    stages: ['split'],
    placeholder: 'WORKER_NUMBER',
    affects: 'results',
    recorded: 'always',
    reportName: 'clients K',
  },
});

/** Who takes part, and when the rounds end. The partition stands after these settings in run.json. */
export const ROUNDS = part('federation', {
  fraction: {
    type: number({ above: 0, max: 1 }),
    default: 1,
    older: 1,
    help: 'share of the clients that each round selects at random, C',
    symbol: 'share',
    group: 'Rounds and participation',
    stages: [],
    affects: 'results',
    recorded: 'always',
    reportName: 'fraction C',
  },
  minClients: {
    type: whole({ min: 1 }),
    default: 1,
    older: 1,
    help: 'fewest clients that a round selects, whatever the fraction',
    symbol: 'count',
    unit: 'clients',
    group: 'Rounds and participation',
    stages: [],
    affects: 'results',
    recorded: 'always',
  },
  rounds: {
    type: whole({ min: 1 }),
    default: 1,
    help: 'most rounds; a finished run continues when this is raised',
    symbol: 'count',
    unit: 'rounds',
    group: 'Rounds and participation',
    rank: 4,
    stages: [],
    affects: 'end',
    recorded: 'always',
  },
  targetAccuracy: {
    type: number({ min: 0, max: 1 }),
    otherwise: 'none',
    help: 'stop after the first round with this accuracy, 0 to 1',
    symbol: 'share',
    group: 'Rounds and participation',
    stages: [],
    affects: 'end',
    recorded: 'if-known',
  },
  targetMetric: {
    type: METRIC_TYPE,
    otherwise: 'none',
    insteadOf: 'federation.targetAccuracy',
    help: 'stop after the first round in which a metric has this value, e.g. rmse=3.2',
    symbol: 'metric=value',
    group: 'Rounds and participation',
    stages: [],
    affects: 'end',
    recorded: 'if-known',
  },
  patience: {
    type: whole({ min: 1 }),
    otherwise: 'none',
    help: 'stop after so many rounds in a row without a better model',
    symbol: 'rounds',
    unit: 'rounds',
    group: 'Rounds and participation',
    stages: [],
    affects: 'end',
    recorded: 'if-known',
  },
});

/** What each client sets aside of its examples, behind the partition that deals them in run.json. */
export const HOLDOUT = part('federation', {
  clientHoldout: {
    type: number({ above: 0, below: 1 }),
    otherwise: 'none',
    help: "share of each client's examples to hold out; models are tested on it, client by client",
    symbol: 'share',
    group: 'Data and partition',
    stages: ['split'],
    affects: 'results',
    recorded: 'if-known',
    reportName: "held out of each client's examples",
  },
});

/** Clients are data, not processes: the same models, other files. It stands after the partition in run.json. */
export const SIMULATION = part('federation', {
  simulate: {
    type: onOff,
    default: false,
    help: 'clients as data, not processes: thousands on one machine, the same models, no update files',
    flagIn: { split: 'virtual' },
    helpIn: {
      split:
        'for simulations: all training examples in train.npz, and which client has which in partition.npz',
    },
    group: 'Machine',
    stages: ['split'],
    affects: 'results',
    recorded: 'if-changed',
  },
});

/** What stays on the volume: nothing that run.json would record. */
export const KEEPING = part('keeping', {
  keepRounds: {
    type: whole({ min: 1 }),
    otherwise: 'all',
    help: 'remove models and updates of all but the last so many rounds; their records stay',
    symbol: 'count',
    unit: 'rounds',
    group: 'Volume and result',
    stages: [],
    affects: 'nothing',
    recorded: 'never',
  },
});

/** Which failures a run tolerates: nothing that run.json would record. */
export const TOLERANCE = part('tolerance', {
  quorum: {
    type: text('a number of updates from 1 (8) or a share above 0, up to 1 (0.8, 80%)', (given) =>
      parseQuorum(given) === undefined ? undefined : given,
    ),
    otherwise: 'all, and the first client that fails ends the run',
    help: 'valid updates that a round needs, else exit code 4: a number (8) or a share (0.8, 80%)',
    symbol: 'number',
    group: 'Failure tolerance',
    stages: [],
    affects: 'nothing',
    recorded: 'never',
  },
  roundDeadline: {
    type: number({ above: 0, max: MAX_DEADLINE_SECONDS }),
    otherwise: 'none',
    help: "a round's clients that are not done by then are stopped and count as missing",
    symbol: 'seconds',
    unit: 'seconds',
    group: 'Failure tolerance',
    stages: [],
    affects: 'nothing',
    recorded: 'never',
  },
  retries: {
    type: whole(),
    default: 1,
    help: 'how often a client whose training fails is retried',
    symbol: 'count',
    group: 'Failure tolerance',
    stages: [],
    affects: 'nothing',
    recorded: 'never',
  },
});
