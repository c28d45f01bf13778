/**
 * Debian's Prometheus, promtool and Pushgateway with real runs: rules and configuration are valid, alerts go off when they
 * should, and queries answer with what the records hold.
 */
import assert from 'node:assert/strict';
import { accessSync, constants } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { parse, stringify } from 'yaml';
import { readRunRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { createStageMetrics } from '../lib/prometheus/stage-metrics.js';
import { createRunMetrics } from '../observe/prometheus/run-metrics.js';
import { writeTinyDataset } from './datasets.js';
import { dashboardQueries, monitoringFile } from './monitoring.js';
import { freePort } from './processes.js';
import { programPath, runProgramFile } from './programs.js';
import { startGateway } from './prometheus-text.js';
import { roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const HOST = '127.0.0.1';

/** Why tests with a program are skipped: false where it is installed. */
function lacking(program: string): string | false {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return false;
    } catch {}
  }
  return `there is no ${program} here: apt-get install prometheus prometheus-pushgateway has it`;
}

const directory = sharedDirectory();
let data: string;
before(async () => {
  data = await writeTinyDataset(directory);
});

/** Runs promtool; fails unless it is content. */
async function promtool(...args: readonly string[]): Promise<string> {
  const { exitCode, all } = await execa('promtool', args, { reject: false, all: true });
  assert.equal(exitCode, 0, all);
  return all;
}

/** The configuration without what Debian's build of Prometheus lacks: how pods are found. What is done with them stays. */
async function withoutKubernetes(): Promise<string> {
  const config = parse(await readFile(monitoringFile('prometheus.yaml'), 'utf8')) as {
    scrape_configs: readonly { kubernetes_sd_configs?: unknown }[];
  };
  const jobs = config.scrape_configs.map(({ kubernetes_sd_configs: found, ...job }) => {
    if (found !== undefined) assert.deepEqual(found, [{ role: 'pod' }]);
    return job;
  });
  return stringify({ ...config, rule_files: [monitoringFile('alerts.yaml')], scrape_configs: jobs });
}

/** Metrics of the kinds that alerts look at, sample by sample each minute. */
const ALERT_CASES = [
  {
    name: 'a run that tells nothing',
    input_series: [
      { series: 'fedbatch_run_state{run="a",state="running"}', values: '1+0x60' },
      { series: 'fedbatch_run_last_event_timestamp_seconds{run="a"}', values: '0+0x60' },
    ],
    quiet: { alertname: 'FedbatchRunStalled', eval_time: '30m' },
    loud: { alertname: 'FedbatchRunStalled', eval_time: '40m', labels: { run: 'a', severity: 'warning' } },
  },
  {
    name: 'a round that loses a third of its clients',
    input_series: [
      { series: 'fedbatch_run_clients{run="a",participation="selected"}', values: '9+0x10' },
      { series: 'fedbatch_run_clients{run="a",participation="missing"}', values: '1 1 1 1 1 2 2 2 2 2' },
      { series: 'fedbatch_run_clients{run="a",participation="rejected"}', values: '0 0 0 0 0 1 1 1 1 1' },
    ],
    quiet: { alertname: 'FedbatchRoundLosesClients', eval_time: '3m' },
    loud: {
      alertname: 'FedbatchRoundLosesClients',
      eval_time: '8m',
      labels: { run: 'a', severity: 'warning' },
    },
  },
  {
    name: 'a quorum that was missed',
    input_series: [
      { series: 'fedbatch_run_state{run="a",state="failed"}', values: '0 0 0 0 0 1 1 1 1 1' },
      {
        series: 'fedbatch_run_failures_total{run="a",stage="aggregate",exit_code="4"}',
        values: '_ _ _ _ _ 1 1 1 1 1',
      },
    ],
    quiet: { alertname: 'FedbatchQuorumMissed', eval_time: '3m' },
    loud: {
      ...{ alertname: 'FedbatchQuorumMissed', eval_time: '8m' },
      labels: { run: 'a', stage: 'aggregate', exit_code: '4', severity: 'critical' },
    },
  },
  {
    name: 'a loss that is NaN',
    input_series: [{ series: 'fedbatch_train_loss{client="3"}', values: '2 2 2 2 2 NaN NaN NaN NaN NaN' }],
    quiet: { alertname: 'FedbatchTrainingDiverged', eval_time: '3m' },
    loud: {
      ...{ alertname: 'FedbatchTrainingDiverged', eval_time: '8m' },
      labels: { client: '3', severity: 'critical' },
    },
  },
  {
    name: 'a server that fails',
    input_series: [
      { series: 'fedbatch_request_duration_seconds_count{job="s",status="200"}', values: '0+100x40' },
      { series: 'fedbatch_request_duration_seconds_count{job="s",status="503"}', values: '0+0x10 5+5x30' },
    ],
    quiet: { alertname: 'FedbatchServerErrors', eval_time: '9m' },
    loud: { alertname: 'FedbatchServerErrors', eval_time: '30m', labels: { job: 's', severity: 'critical' } },
  },
  {
    name: 'a server that is slow',
    input_series: [
      { series: 'fedbatch_request_duration_seconds_bucket{job="s",le="1"}', values: '0+100x20 2000+0x30' },
      { series: 'fedbatch_request_duration_seconds_bucket{job="s",le="5"}', values: '0+100x50' },
      { series: 'fedbatch_request_duration_seconds_bucket{job="s",le="+Inf"}', values: '0+100x50' },
    ],
    quiet: { alertname: 'FedbatchServerSlow', eval_time: '15m' },
    loud: { alertname: 'FedbatchServerSlow', eval_time: '45m', labels: { job: 's', severity: 'warning' } },
  },
] as const;

describe('promtool', { skip: lacking('promtool') }, () => {
  it('takes the alert rules, the configuration and every query of the dashboard', async () => {
    assert.match(await promtool('check', 'rules', monitoringFile('alerts.yaml')), /9 rules found/);
    const config = join(directory, 'config.yaml');
    await writeFile(config, await withoutKubernetes());
    await promtool('check', 'config', config);
    const rules = dashboardQueries.map((expr, at) => ({ record: `of:panel:${at}`, expr }));
    const file = join(directory, 'queries.yaml');
    await writeFile(file, stringify({ groups: [{ name: 'dashboard', rules }] }));
    assert.match(await promtool('check', 'rules', file), new RegExp(`${rules.length} rules found`));
    const wrong = join(directory, 'wrong.yaml');
    await writeFile(
      wrong,
      stringify({ groups: [{ name: 'a', rules: [{ record: 'a', expr: 'sum by (' }] }] }),
    );
    const { exitCode } = await execa('promtool', ['check', 'rules', wrong], { reject: false });
    assert.notEqual(exitCode, 0, 'a query that is none is found');
  });

  it('finds nothing to mend in the metrics of a stage and of a run', async () => {
    const texts = [createStageMetrics('train'), createStageMetrics('aggregate'), createRunMetrics()];
    for (const { metrics } of texts) {
      // Those of the process are named by the library that collects them.
      const own = (await metrics.text())
        .split('\n\n')
        .filter((each) => !/^# HELP fedbatch_(process|nodejs)_/.test(each));
      assert.ok(own.length > 5, `${own.length} metrics`);
      const { exitCode, all } = await execa('promtool', ['check', 'metrics'], {
        ...{ input: `${own.join('\n\n').trimEnd()}\n`, reject: false, all: true },
      });
      assert.equal(exitCode, 0, all);
    }
  });

  for (const { name, input_series, quiet, loud } of ALERT_CASES) {
    it(`goes off for ${name}, and not before`, async () => {
      const { labels, ...at } = loud;
      const file = join(directory, `${loud.alertname}.yaml`);
      const test = {
        rule_files: [monitoringFile('alerts.yaml')],
        evaluation_interval: '1m',
        tests: [{ interval: '1m', input_series, alert_rule_test: [{ ...quiet, exp_alerts: [] }] }],
      };
      await writeFile(file, stringify(test));
      await promtool('test', 'rules', file);
      const [only] = test.tests;
      // What annotations say is compared too where it is given: labels alone are what counts here.
      const silent = { ...test, tests: [{ ...only, alert_rule_test: [{ ...at, exp_alerts: [] }] }] };
      await writeFile(file, stringify(silent));
      const { exitCode, all } = await execa('promtool', ['test', 'rules', file], {
        reject: false,
        all: true,
      });
      assert.notEqual(exitCode, 0, `${loud.alertname} went off`);
      for (const [label, value] of Object.entries(labels))
        assert.ok(all.includes(`${label}="${value}"`), all);
    });
  }
});

/** Starts a program that listens, and waits until it answers. */
async function started(
  t: TestContext,
  program: string,
  args: readonly string[],
  ready: string,
): Promise<void> {
  const child = execa(program, args, { reject: false, all: true, cwd: directory });
  t.after(async () => {
    child.kill();
    await child;
  });
  let ended: string | undefined;
  void child.then(({ all }) => {
    ended = all;
  });
  for (;;) {
    assert.equal(ended, undefined, `${program} has ended: ${ended}`);
    const answer = await fetch(ready).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
}

/** Starts Prometheus; returns what asks it. */
async function startPrometheus(t: TestContext, jobs: readonly object[]) {
  const port = await freePort();
  const config = join(directory, `prometheus-${port}.yaml`);
  await writeFile(
    config,
    stringify({
      global: { scrape_interval: '300ms', scrape_timeout: '300ms', evaluation_interval: '1s' },
      rule_files: [monitoringFile('alerts.yaml')],
      scrape_configs: jobs,
    }),
  );
  const url = `http://${HOST}:${port}`;
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(directory, `tsdb-${port}`)}`,
    `--web.listen-address=${HOST}:${port}`,
  ];
  await started(t, 'prometheus', args, `${url}/-/ready`);
  const ask = async (path: string): Promise<unknown> => (await fetch(`${url}/api/v1/${path}`)).json();
  // It is ready up to 5 s before it knows whom to ask: a short run would be over by then.
  const targets = async () =>
    ((await ask('targets')) as { data: { activeTargets: readonly { health: string }[] } }).data.activeTargets;
  const asksAll = (active: readonly { health: string }[]) =>
    active.length === jobs.length && active.every(({ health }) => health !== 'unknown');
  assert.ok(asksAll(await until(targets, asksAll)), 'it asks its targets');
  return {
    /** The value of a query; undefined where there is none. */
    async value(query: string): Promise<number | undefined> {
      const { data: found } = (await ask(`query?query=${encodeURIComponent(query)}`)) as {
        data: { result: readonly { value: readonly [number, string] }[] };
      };
      const [first] = found.result;
      return first === undefined ? undefined : Number(first.value[1]);
    },
    rules: async () =>
      (
        (await ask('rules')) as { data: { groups: readonly { rules: readonly { health: string }[] }[] } }
      ).data.groups.flatMap(({ rules }) => rules),
  };
}

/** Asks until the answer is the one, for a while; returns the last one. */
async function until<T>(ask: () => Promise<T>, isRight: (answer: T) => boolean, tries = 300): Promise<T> {
  for (let left = tries; ; left--) {
    const answer = await ask();
    if (isRight(answer) || left === 0) return answer;
    await sleep(50);
  }
}

const SETTINGS = ['--model', 'mlp', '--batch', '20', '--threads', '1', '--clients', '3'];
const runArguments = (volume: string, rounds: number) => [
  ...['run', '--volume', volume, '--json', '--data', data, '--rounds', `${rounds}`],
  ...SETTINGS,
];

describe('Prometheus', { skip: lacking('prometheus') }, () => {
  it("asks a run while it goes, and answers with the run's last metric", async (t) => {
    const port = await freePort();
    const targets = [`${HOST}:${port}`];
    const prometheus = await startPrometheus(t, [
      { job_name: 'fedbatch-run', static_configs: [{ targets }] },
    ]);
    const volume = join(directory, 'asked');
    // Some seconds, of which a scrape that comes every 300 ms sees several.
    const rounds = 12;
    /** What it answered when all was done, and the run had not ended. */
    let answered: number | undefined;
    const accuracy = 'fedbatch_run_metric{metric="accuracy"}';
    const gateway = await startGateway(async ({ text }) => {
      if (!text.includes('state="finished"} 1')) return;
      const { evaluation } = await roundOf(volume, rounds);
      answered = await until(
        () => prometheus.value(accuracy),
        (value) => value === evaluation?.accuracy,
        30,
      );
    });
    const watched = ['--metrics-port', `${port}`, '--pushgateway', gateway.url];
    const { exitCode, stderr } = await runProgramFile('cli', [...runArguments(volume, rounds), ...watched]);
    await gateway.close();
    assert.equal(exitCode, 0, stderr);
    const { id } = await readRunRecord(volumePaths(volume).run);
    assert.equal(answered, (await roundOf(volume, rounds)).evaluation?.accuracy);
    const past = (query: string) => prometheus.value(`max_over_time(${query}[10m])`);
    assert.equal(await past(`fedbatch_run_round{run="${id}",job="fedbatch-run"}`), rounds);
    assert.equal(await past('fedbatch_run_state{state="running"}'), 1, 'it was asked while it ran');
    const rules = await until(prometheus.rules, (found) => found.every(({ health }) => health === 'ok'));
    assert.deepEqual([...new Set(rules.map(({ health }) => health))], ['ok']);
    assert.equal(rules.length, 9);
  });

  it('asks a Pushgateway what a run, its trainers and its aggregator came to', {
    skip: lacking('prometheus-pushgateway'),
  }, async (t) => {
    const port = await freePort();
    const url = `http://${HOST}:${port}`;
    // Debian's remembers what was pushed before it was started, unless it is told another file.
    const args = [
      `--web.listen-address=${HOST}:${port}`,
      `--persistence.file=${join(directory, 'pushed.data')}`,
    ];
    await started(t, 'prometheus-pushgateway', args, `${url}/-/ready`);
    const targets = [`${HOST}:${port}`];
    const prometheus = await startPrometheus(t, [
      { job_name: 'pushgateway', honor_labels: true, static_configs: [{ targets }] },
    ]);
    const volume = join(directory, 'pushed');
    const env = { FEDBATCH_PUSHGATEWAY: url };
    const run = await execa(process.execPath, [programPath('cli'), ...runArguments(volume, 3)], { env });
    assert.doesNotMatch(run.stderr, /Pushgateway/);
    const { id } = await readRunRecord(volumePaths(volume).run);
    const { evaluation } = await roundOf(volume, 3);
    const asked = `fedbatch_run_metric{job="fedbatch",run="${id}",metric="accuracy"}`;
    /** On a busy machine a scrape may fail, and the next one answers again. */
    const answers = async (query: string, wanted: number | undefined) =>
      assert.equal(
        await until(
          () => prometheus.value(query),
          (value) => value === wanted,
        ),
        wanted,
        query,
      );
    await answers(asked, evaluation?.accuracy);
    assert.equal(await prometheus.value('count(fedbatch_train_loss)'), undefined, 'its stages push nothing');

    const updates = join(directory, 'updates');
    const { round, globalModel } = { round: 1, globalModel: volumePaths(volume).round(1).globalModel };
    for (const client of [0, 1]) {
      const shard = ['--data', join(volume, 'data', `${client}.npz`), '--init', globalModel];
      const work = ['--epochs', '1', '--batch', '20', '--threads', '1', '--round', `${round}`];
      const out = ['--out', join(updates, `${client}.h5`), '--pushgateway', url];
      const { exitCode, stderr } = await runProgramFile('trainer/cli', [...shard, ...work, ...out]);
      assert.equal(exitCode, 0, stderr);
    }
    await writeFile(join(updates, '7.h5'), 'no model');
    const aggregated = await execa(
      process.execPath,
      [
        programPath('aggregator/cli'),
        ...['--dir', updates, '--parent', globalModel, '--out', join(directory, 'next.h5')],
      ],
      { env: { ...env, FEDBATCH_RUN: 'by-hand' } },
    );
    assert.match(aggregated.stdout, /"updates":2/);
    await answers('fedbatch_aggregate_updates_merged{run="by-hand",stage="aggregate"}', 2);
    await answers('fedbatch_aggregate_updates_rejected', 1);
    const sizes = await Promise.all(
      [0, 1].map(async (client) => (await readFile(join(updates, `${client}.h5`))).length),
    );
    await answers(
      'fedbatch_aggregate_bytes',
      sizes.reduce((sum, size) => sum + size),
    );
    await answers('count(fedbatch_train_seconds{stage="train",client=~"0|1"})', 2);
  });
});
