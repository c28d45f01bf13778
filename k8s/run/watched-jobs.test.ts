/** Pods of a run are told how Prometheus gets their metrics, and only where somebody has asked for that. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { V1Container } from '@kubernetes/client-node';
import { volumePaths } from '../../lib/formats/volume.js';
import type { GivenSettings } from '../../lib/settings/complete.js';
import { aggregateCommand, evaluateCommand, trainCommand } from '../../pipeline/commands/stage-commands.js';
import { settingsFromFlags } from '../../test/settings.js';
import { watchedValues } from '../cluster-settings.js';
import { stageJobs } from './stage-jobs.js';

const directory = '/mnt/runs/abc';

/** The environment of each container of a round's Jobs, by the container's name. */
function environments(
  given: GivenSettings,
): ReadonlyMap<string, Readonly<Record<string, string | undefined>>> {
  const { settings } = settingsFromFlags([]);
  const names = { run: 'fedbatch-abc', id: 'abc', namespace: 'fl', threads: 1, directory, isolates: true };
  const jobs = stageJobs({ ...names, settings, values: watchedValues(given) });
  const source = { settings, threads: 1, paths: volumePaths(directory) };
  const turn = { round: 1, clients: [0, 1, 2] };
  const commands = [
    turn.clients.map((client) => trainCommand(source, turn, client)),
    [aggregateCommand(source, turn, { minUpdates: 3, record: '/facts/facts.json' })],
    [evaluateCommand(source, { models: ['/mnt/a.h5'] })],
  ];
  const containers = commands.flatMap((each): readonly V1Container[] => {
    const pod = jobs.of(each).job.spec?.template.spec;
    return [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])];
  });
  return new Map(
    containers.map(({ name, env = [] }) => [
      name,
      Object.fromEntries(env.map((each) => [each.name, each.value])),
    ]),
  );
}

describe('the Jobs of a run', () => {
  it('are told of a port and a Pushgateway: trainers, aggregator and recorder, and which run it is', () => {
    const found = environments({
      'watching.pushgateway': 'http://pushgateway:9091',
      'watching.metricsPort': 9464,
      'watching.metricsHost': '0.0.0.0',
    });
    for (const name of ['trainer', 'aggregator', 'record-trained']) {
      const env = found.get(name);
      assert.equal(env?.FEDBATCH_PUSHGATEWAY, 'http://pushgateway:9091', name);
      assert.equal(env?.FEDBATCH_METRICS_PORT, '9464', name);
      assert.equal(env?.FEDBATCH_METRICS_HOST, '0.0.0.0', name);
    }
    for (const name of ['trainer', 'aggregator']) assert.equal(found.get(name)?.FEDBATCH_RUN, 'abc', name);
  });

  it('are told nothing where nobody asked', () => {
    for (const [name, env] of environments({})) {
      assert.equal(env.FEDBATCH_PUSHGATEWAY || '', '', name);
      assert.equal(env.FEDBATCH_METRICS_PORT || '', '', name);
      assert.ok(!('FEDBATCH_RUN' in env), name);
    }
  });
});
