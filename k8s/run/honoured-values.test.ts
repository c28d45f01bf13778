/** Every placeholder that `k8s run` and `k8s each` are asked to fill changes their Jobs or their claim, or is refused. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UsageError } from '../../lib/core/errors.js';
import { volumePaths } from '../../lib/formats/volume.js';
import {
  aggregateCommand,
  evaluateCommand,
  initCommand,
  trainCommand,
} from '../../pipeline/commands/stage-commands.js';
import { filled, settingsFromFlags } from '../../test/settings.js';
import { PLACEHOLDER_NAMES, type Values } from '../manifests/placeholders.js';
import { fillTemplate } from '../manifests/templates.js';
import { sharedOptions, valuesOfCommand } from './shared-options.js';
import { eachJobs, stageJobs } from './stage-jobs.js';

const { settings } = settingsFromFlags([]);
const NAMES = { run: 'a', id: 'a', namespace: 'fl' };

/** What a run gives the cluster. */
function ofRun(set: readonly string[]): unknown {
  const { values, threads = 1 } = sharedOptions({ set, scheduleTimeout: 300, isolate: true });
  const directory = '/mnt/runs/a';
  const source = { settings, threads, paths: volumePaths(directory) };
  const round = { round: 1, clients: [0, 1, 2] };
  const jobs = stageJobs({ ...NAMES, settings, values, threads, directory, isolates: true });
  return [
    claim(values),
    jobs.start({}, { fresh: false }),
    ...[
      initCommand(source),
      trainCommand(source, round, 0),
      aggregateCommand(source, round, { minUpdates: 3 }),
      evaluateCommand(source, { models: [source.paths.aggregatedModel] }),
    ].map((command) => jobs.of([command])),
  ];
}

/** What a command on all clients gives it. */
function ofCommand(set: readonly string[]): unknown {
  const values = valuesOfCommand({ set });
  const task = { command: ['true'], size: 1, data: undefined, timeoutSeconds: undefined };
  const command = { stage: 'each', program: 'each/cli.js', arguments: [], client: 0 } as const;
  return [claim(values), eachJobs({ ...NAMES, values }, task).of([{ ...command, reads: [], writes: [] }])];
}

/** The claim that is made where there is none. */
const claim = (values: Values) => fillTemplate('pvc', values);

/** What is refused, by the first words of why; and what is dropped. */
function fates(of: (set: readonly string[]) => unknown) {
  const usual = JSON.stringify(of([]));
  const refused: string[] = [];
  const dropped: string[] = [];
  for (const name of PLACEHOLDER_NAMES) {
    try {
      if (JSON.stringify(of([filled(name)])) === usual) dropped.push(name);
    } catch (error) {
      assert.ok(error instanceof UsageError && error.message.startsWith(`--set ${name} does not go with `));
      refused.push(name);
    }
  }
  return { refused, dropped };
}

const OF_OTHER_TEMPLATES = [
  ...[
    'NFS_CLUSTER_IP',
    'REPLICAS',
    'MAX_REPLICAS',
    'MODEL_URI',
    'INGRESS_HOST',
    'INGRESS_CLASS',
    'API_PORT',
    'PV_NAME',
  ],
  ...[
    'PIPELINE_CLIENTS',
    'PIPELINE_ROUNDS',
    'PIPELINE_EPOCHS',
    'PIPELINE_BATCH',
    'PIPELINE_DEADLINE_SECONDS',
  ],
  ...['SERVER_IMAGE', 'NFS_IMAGE', 'BUSYBOX_IMAGE', 'TENSORBOARD_IMAGE', 'TENSORBOARD_LOGDIR'],
];
const OF_SETTINGS = ['WORKER_NUMBER', 'EPOCH', 'BATCH', 'DATASET', 'SCALE', 'MODEL', 'SEED'];
const OF_FLAGS = ['CLIENTS', 'MAX_FAILED_INDEXES'];

describe('a placeholder is honoured or refused', () => {
  it('by a run', () => {
    const { refused, dropped } = fates(ofRun);
    assert.deepEqual(dropped, []);
    const expected = [...OF_OTHER_TEMPLATES, ...OF_SETTINGS, ...OF_FLAGS, 'MIN_ACCURACY'];
    assert.deepEqual(refused.sort(), expected.sort());
    assert.throws(() => ofRun(['EPOCH=7']), {
      message: '--set EPOCH does not go with a run on a cluster: --epochs gives it.',
    });
  });

  it('by a command on all clients', () => {
    const { refused, dropped } = fates(ofCommand);
    assert.deepEqual(dropped, []);
    const ofStages = [
      'SPLITTER_IMAGE',
      'AGGREGATOR_IMAGE',
      'EVALUATOR_IMAGE',
      'PIPELINE_IMAGE',
      'MIN_ACCURACY',
    ];
    const metrics = ['METRICS_PORT', 'METRICS_HOST', 'PUSHGATEWAY'];
    const expected = [...OF_OTHER_TEMPLATES, ...OF_SETTINGS, ...OF_FLAGS, ...ofStages, ...metrics];
    assert.deepEqual(refused.sort(), expected.sort());
  });
});
