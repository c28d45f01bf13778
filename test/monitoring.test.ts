/** The dashboard and the alert rules ask for metrics and labels that the programs have, and for all that matter. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { parse, parseAllDocuments } from 'yaml';
import { fillTemplate, type KubernetesObject } from '../k8s/manifests/templates.js';
import { faultsOf } from '../k8s/testing/check-manifest.js';
import { newestFields } from '../k8s/testing/fields.js';
import type { TimedEvent } from '../lib/formats/metrics-event.js';
import { createStageMetrics } from '../lib/prometheus/stage-metrics.js';
import { createRunMetrics } from '../observe/prometheus/run-metrics.js';
import type { ServedModels } from '../server/models/served-models.js';
import { createMetrics } from '../server/operations/metrics.js';
import { alertRules, dashboard, dashboardQueries, monitoringFile } from './monitoring.js';
import { declaredIn, samplesOf } from './prometheus-text.js';
import { settingsFromFlags } from './settings.js';

/** What every program declares, once something of each kind has happened. */
async function textsOfPrograms(): Promise<readonly string[]> {
  const server = createMetrics();
  server.watch(
    { name: 'model', current: () => undefined, refused: () => undefined } as ServedModels,
    () => 0,
  );
  server.answered({ route: '/upload', method: 'POST', status: 200, seconds: 1 });
  server.predicted({ images: 1, probabilities: Float32Array.of(1) }, { version: 1, card: undefined });
  const train = createStageMetrics('train');
  const at = { client: 0, done: 1, total: 1, unit: 'examples', examplesPerSecond: 1 } as const;
  train.progress({ stage: 'train', ...at, epoch: 1, epochs: 1, loss: 1, accuracy: 1 });
  train.ended({ client: 0, examples: 1, seconds: 1 });
  const aggregate = createStageMetrics('aggregate');
  const run = createRunMetrics();
  for (const event of EVENTS) run.event({ time: '2026-01-01T00:00:00Z', ...event } as TimedEvent);
  return Promise.all([server.text(), train.metrics.text(), aggregate.metrics.text(), run.metrics.text()]);
}

const sha256 = 'a'.repeat(64);
const EVENTS: readonly object[] = [
  {
    ...{ event: 'start', id: 'a', resumed: false, retries: 1, threads: 1 },
    settings: settingsFromFlags([]).settings,
  },
  { event: 'update', round: 1, client: 0, examples: 1, seconds: 1, loss: 1, learningRate: 1 },
  {
    ...{ event: 'aggregate', round: 1, inputs: sha256, updates: 1, examples: 1, seconds: 1, sha256 },
    ...{ privacy: { epsilon: 1 }, clients: [{ client: 0, norm: 1, cosine: 1 }] },
  },
  { event: 'evaluation', round: 1, loss: 1, accuracy: 1, examples: 1, seconds: 1 },
  {
    ...{ event: 'round', round: 1, selected: 1, quorum: 1, reported: 1, rejected: 0, missing: 0, best: 1 },
    seconds: { train: 1, aggregate: 1, evaluate: 1 },
  },
  { event: 'failure', stage: 'train', exitCode: 5, reason: '', next: '' },
];

/** Labels that Prometheus adds, or a push. */
const OF_TARGETS = ['job', 'instance', 'stage', 'client', 'run', 'le'];
/** In front of a label's value, and behind `by` and `on`. */
const LABEL_NAMES = /(\w+)\s*(?:=~|!~|!=|=)\s*"/g;
const GROUPED = /\b(?:by|on)\s*\(([^)]*)\)/g;

/** Whatever is chosen above the panels. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in
const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

const programs = await textsOfPrograms();
/** Labels by the name of the sample that has them. */
const labels = new Map<string, Set<string>>();
for (const sample of programs.flatMap((text) => [...samplesOf(text).keys()])) {
  const [name = '', inside = ''] = sample.split(/[{}]/);
  const own = labels.get(name) ?? new Set();
  for (const [, label = ''] of inside.matchAll(LABEL_NAMES)) own.add(label);
  labels.set(name, own);
}
const declared = new Set(
  programs.flatMap((text) =>
    [...declaredIn(text)].flatMap(([name, kind]) =>
      kind === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
    ),
  ),
);

/** The metrics that an expression names. */
const metricsIn = (expr: string) => [...expr.matchAll(/\bfedbatch_\w+/g)].map(([name]) => name);

/** What an expression says that no program tells. */
function unknownIn(expr: string): readonly string[] {
  const names = metricsIn(expr);
  const metrics = names.filter((name) => !declared.has(name));
  const known = new Set([...OF_TARGETS, ...names.flatMap((name) => [...(labels.get(name) ?? [])])]);
  const groups = [...expr.matchAll(GROUPED)].flatMap(([, list = '']) =>
    list.split(',').map((each) => each.trim()),
  );
  const asked = [...[...expr.matchAll(LABEL_NAMES)].map(([, label = '']) => label), ...groups];
  return [...metrics, ...asked.filter((label) => label !== '' && !known.has(label))];
}

const expressions = [...dashboardQueries, ...alertRules.map(({ expr }) => expr)];

describe('the dashboard and the alert rules', () => {
  it('ask for metrics and labels that the programs have', () => {
    assert.ok(expressions.length > 40, `only ${expressions.length} expressions`);
    for (const expr of expressions) {
      assert.ok(metricsIn(expr).length > 0, expr);
      assert.deepEqual(unknownIn(expr), [], expr);
    }
    assert.deepEqual(unknownIn('sum by (klient) (fedbatch_run_los{run="a",kind="b"})'), [
      ...['fedbatch_run_los', 'kind', 'klient'],
    ]);
  });

  it('show every metric of a run, of its stages and of the server, but for a few that say what others do', () => {
    const shown = new Set(
      expressions.flatMap(metricsIn).map((name) => name.replace(/_(bucket|sum|count)$/, '')),
    );
    const own = programs
      .flatMap((text) => [...declaredIn(text).keys()])
      .filter((name) => !/^fedbatch_(process|nodejs)_/.test(name));
    assert.deepEqual(own.filter((name) => !shown.has(name)).sort(), [
      ...['fedbatch_aggregate_examples', 'fedbatch_aggregate_seconds', 'fedbatch_aggregate_updates_found'],
      ...['fedbatch_run_clients_configured', 'fedbatch_run_learning_rate', 'fedbatch_run_privacy_epsilon'],
      'fedbatch_run_start_timestamp_seconds',
      ...[
        'fedbatch_train_accuracy',
        'fedbatch_train_epoch',
        'fedbatch_train_epochs',
        'fedbatch_train_seconds',
      ],
    ]);
  });

  it('are whole: panels with a title, a sentence and a place of their own, alerts with a severity and a summary', () => {
    const { panels, templating, schemaVersion, uid } = dashboard;
    assert.equal(uid, 'fedbatch');
    assert.ok(schemaVersion >= 39);
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length, 'ids');
    const taken = new Map<string, string>();
    for (const { type, title, description, gridPos, targets = [] } of panels) {
      const { x, y, w, h } = gridPos;
      assert.ok(title !== '' && x >= 0 && x + w <= 24, title);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          const other = taken.get(`${column} ${line}`);
          assert.equal(other, undefined, `${title} lies on ${other}`);
          taken.set(`${column} ${line}`, title);
        }
      }
      if (type === 'row') continue;
      assert.match(description ?? '', /^[A-Z].*\.$/, title);
      assert.ok(targets.length > 0, title);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const { datasource } of targets) assert.deepEqual(datasource, DATASOURCE);
    }
    const names = templating.list.map(({ name }) => name);
    assert.deepEqual(names, ['datasource', 'run', 'job']);
    for (const { query } of templating.list.slice(1)) {
      const asked = typeof query === 'string' ? query : query.query;
      assert.match(asked, /^label_values\(fedbatch_\w+, \w+\)$/);
      assert.deepEqual(unknownIn(asked), []);
    }
    for (const { alert, labels: own, annotations } of alertRules) {
      assert.match(alert, /^Fedbatch[A-Z]\w+$/);
      assert.match(own.severity, /^(warning|critical)$/, alert);
      assert.notEqual(annotations.summary, '', alert);
    }
  });
});

interface Monitor {
  readonly selector: { readonly matchLabels: object };
  readonly endpoints: readonly { readonly port: string }[];
}

interface Service {
  readonly metadata: { readonly labels: object };
  readonly spec: { readonly ports: readonly { readonly name: string }[] };
}

describe('the examples beside them', () => {
  const objectsIn = (file: string) =>
    parseAllDocuments(readFileSync(monitoringFile(file), 'utf8')).map(
      (each) => each.toJS() as KubernetesObject,
    );

  it('of network policies are what Kubernetes takes', () => {
    const objects = objectsIn('network-policy.yaml');
    assert.equal(objects.length, 2);
    for (const object of objects) {
      assert.deepEqual(faultsOf(object, newestFields()), []);
      new NetworkPolicy(object as never).validate();
    }
  });

  it('find pods by the labels of the templates, and by one port', () => {
    const monitors = [...objectsIn('pod-monitor.yaml'), ...objectsIn('service-monitor.yaml')];
    assert.deepEqual(
      monitors.map(({ kind }) => kind),
      ['PodMonitor', 'PodMonitor', 'ServiceMonitor'],
    );
    for (const monitor of monitors) assert.deepEqual(faultsOf(monitor, newestFields()), []);
    const [, , { spec }] = monitors as unknown as readonly [unknown, unknown, { readonly spec: Monitor }];
    const service = fillTemplate('server', {}).find(({ kind }) => kind === 'Service') as unknown as Service;
    assert.deepEqual(service.metadata.labels, spec.selector.matchLabels);
    assert.ok(service.spec.ports.some(({ name }) => name === spec.endpoints[0]?.port));
    const text = readFileSync(monitoringFile('prometheus.yaml'), 'utf8');
    const { scrape_configs: jobs } = parse(text) as { scrape_configs: readonly { job_name: string }[] };
    assert.deepEqual(
      jobs.map(({ job_name }) => job_name),
      ['fedbatch-run', 'fedbatch-pushgateway', 'fedbatch-pods', 'fedbatch-server'],
    );
    for (const file of ['network-policy.yaml', 'pod-monitor.yaml', 'prometheus.yaml'])
      assert.match(readFileSync(monitoringFile(file), 'utf8'), /\b9464\b/, file);
  });
});
