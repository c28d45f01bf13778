/** Settings of who watches a run: they change nothing about it, and none of them is on record. */
import { UsageError } from '../../core/errors.js';
import type { GivenSettings } from '../complete.js';
import { part } from '../setting.js';
import { onOff, text, whole } from '../value-type.js';

/** Nobody but this machine. */
const LOOPBACK = '127.0.0.1';

/** In the place of a server's address: none is told, whatever the environment says. */
export const MLFLOW_OFF = 'off';

/** The address of an MLflow server; undefined for what is none. */
export function mlflowUrl(given: string): string | undefined {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  // A stray % in a password could not be read.
  const isReadable = url !== undefined && !/%(?![0-9a-f]{2})/i.test(url.username + url.password);
  return isReadable && /^https?:$/.test(url.protocol) ? url.href : undefined;
}

/** Who hears of a run beside its records. */
export const WATCHING = part('watching', {
  tensorboard: {
    type: onOff,
    help: 'write event files for TensorBoard into logs/ of the volume: tensorboard --logdir <volume>/logs',
    group: 'Watching',
    stages: ['record'],
    affects: 'nothing',
    recorded: 'never',
  },
  mlflow: {
    type: text(`the address of an MLflow server (http:// or https://), or ${MLFLOW_OFF}`, (given) =>
      given === MLFLOW_OFF ? given : mlflowUrl(given),
    ),
    otherwise: 'MLFLOW_TRACKING_URI, or none',
    help: 'log the run to this MLflow server: settings, metrics by round, model and report',
    symbol: 'url',
    group: 'Watching',
    stages: ['record'],
    affects: 'nothing',
    recorded: 'never',
  },
  mlflowExperiment: {
    type: text('the name of an experiment', (given) => (given.trim() === '' ? undefined : given.trim())),
    otherwise: 'MLFLOW_EXPERIMENT_NAME, or fedbatch',
    help: 'experiment of the MLflow server that the run belongs to',
    symbol: 'name',
    group: 'Watching',
    stages: ['record'],
    affects: 'nothing',
    recorded: 'never',
  },
  onEvent: {
    type: text('a command line', (given) => (given.trim() === '' ? undefined : given)),
    otherwise: 'none',
    help: 'start this command with the run, and write each event to its stdin as a line of JSON',
    symbol: 'command',
    group: 'Watching',
    stages: ['record'],
    affects: 'nothing',
    recorded: 'never',
  },
  metricsPort: {
    type: whole({ max: 65_535 }),
    variable: 'FEDBATCH_METRICS_PORT',
    otherwise: 'none',
    help: 'answer Prometheus at /metrics on this port; 0 picks a free one',
    symbol: 'port',
    group: 'Watching',
    stages: ['train', 'aggregate'],
    placeholder: 'METRICS_PORT',
    affects: 'nothing',
    recorded: 'never',
  },
  metricsHost: {
    type: text('an address of this machine'),
    variable: 'FEDBATCH_METRICS_HOST',
    default: LOOPBACK,
    onlyWith: 'watching.metricsPort',
    help: 'address that --metrics-port listens on; 0.0.0.0 is all of them',
    symbol: 'address',
    group: 'Watching',
    stages: ['train', 'aggregate'],
    placeholder: 'METRICS_HOST',
    affects: 'nothing',
    recorded: 'never',
  },
  pushgateway: {
    type: text('the address of a Pushgateway, such as http://pushgateway:9091', (given) =>
      /^https?:\/\//.test(given) && URL.canParse(given) ? given : undefined,
    ),
    variable: 'FEDBATCH_PUSHGATEWAY',
    otherwise: 'none',
    help: "tell this Pushgateway of Prometheus' the metrics, every few seconds and at the end",
    symbol: 'url',
    group: 'Watching',
    stages: ['train', 'aggregate', 'record'],
    placeholder: 'PUSHGATEWAY',
    affects: 'nothing',
    recorded: 'never',
  },
});

/** How Prometheus is to get the metrics of a program: it asks a port, or asks a Pushgateway. */
export interface PrometheusAsked {
  readonly port?: number | undefined;
  readonly host: string;
  readonly gateway?: string | undefined;
}

/** What is asked for of it; undefined where nothing is. @throws {UsageError} for a host without a port */
export function prometheusAsked(given: GivenSettings): PrometheusAsked | undefined {
  const port = given['watching.metricsPort'] as number | undefined;
  const host = given['watching.metricsHost'] as string | undefined;
  const gateway = given['watching.pushgateway'] as string | undefined;
  if (host !== undefined && port === undefined) {
    throw new UsageError(`--metrics-host ${host} goes with --metrics-port alone.`);
  }
  if (port === undefined && gateway === undefined) return undefined;
  return { port, host: host ?? LOOPBACK, gateway };
}
