/** Settings of who watches a run: they change nothing about it, and none of them is on record. */
import { part } from '../setting.js';
import { onOff, text } from '../value-type.js';

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
});
