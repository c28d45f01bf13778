/** A run that Prometheus watches: what it is told is what the records hold, and a resumed run goes on counting. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { appendFile, cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import type { TimedEvent } from '../../lib/formats/metrics-event.js';
import { readRunRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { silentReporter } from '../../lib/observability/events.js';
import { writeTinyDataset } from '../../test/datasets.js';
import { freePort } from '../../test/processes.js';
import { runCommand } from '../../test/program-host.js';
import { type Push, samplesOf, startGateway } from '../../test/prometheus-text.js';
import { eventsOf, finishRun, type ResultLine, roundOf } from '../../test/runs.js';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { openWatchers } from '../open-watchers.js';
import { createRunMetrics } from './run-metrics.js';

const directory = sharedDirectory();
const volume = join(directory, 'run');
const SETTINGS = ['--model', 'mlp', '--batch', '20', '--threads', '1', '--clients', '3', '--simulate'];

let port: number;
let data: string;
let line: ResultLine & { readonly stderr: string };
/** The last push, and what the port answered while the gateway had not yet taken it. */
let push: Push & { readonly scraped: string };
before(async () => {
  port = await freePort();
  data = await writeTinyDataset(directory);
  const gateway = await startGateway(async (pushed) => {
    const scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    push = { ...pushed, scraped };
  });
  const watched = ['--metrics-port', `${port}`, '--pushgateway', gateway.url];
  line = await finishRun(volume, ['--data', data, ...SETTINGS, '--rounds', '2', ...watched]);
  await gateway.close();
});

describe('a run with --metrics-port and --pushgateway', () => {
  it('tells what its records hold, at the port and to the gateway alike', async () => {
    assert.match(
      line.stderr,
      new RegExp(`^Prometheus finds metrics at http://127\\.0\\.0\\.1:${port}/metrics$`, 'm'),
    );
    const { id } = await readRunRecord(volumePaths(volume).run);
    assert.equal(push.path, `/metrics/job/fedbatch/run/${id}`);
    const last = await roundOf(volume, 2);
    const rounds = [await roundOf(volume, 1), last];
    for (const text of [push.text, push.scraped]) {
      const samples = samplesOf(text);
      const of = (name: string, labels = '') => samples.get(`fedbatch_run_${name}{run="${id}"${labels}}`);
      assert.equal(of('round'), 2);
      assert.equal(of('rounds'), 2);
      assert.equal(of('loss'), last.evaluation?.loss);
      assert.equal(of('metric', ',metric="accuracy"'), last.evaluation?.accuracy);
      assert.equal(of('best'), line.best.accuracy);
      assert.equal(of('updates'), last.aggregate?.updates);
      assert.equal(of('examples'), last.aggregate?.examples);
      assert.equal(of('quorum'), last.quorum);
      assert.equal(of('clients', ',participation="reported"'), 3);
      assert.equal(of('client_turns_total', ',participation="selected"'), 6);
      assert.equal(of('client_turns_total', ',participation="missing"'), 0);
      assert.equal(of('retries_total'), 0);
      for (const stage of ['train', 'aggregate', 'evaluate'] as const) {
        assert.equal(of('stage_seconds_count', `,stage="${stage}"`), 2);
        const spent = rounds.reduce((sum, { seconds }) => sum + (seconds?.[stage] ?? 0), 0);
        assert.ok(Math.abs((of('stage_seconds_sum', `,stage="${stage}"`) ?? 0) - spent) < 1e-9, stage);
      }
      assert.equal(of('update_cosine_count'), 6, 'each update of each round');
      assert.equal(of('state', ',state="finished"'), 1);
      assert.equal(of('state', ',state="running"'), 0);
      const info = ',dataset="tiny.npz",model="mlp",strategy="fedavg",partition="iid",seed="0"';
      assert.equal(of('info', info), 1);
      assert.equal(
        of('last_event_timestamp_seconds'),
        Date.parse(`${eventsOf(volume, 'end')[0]?.time}`) / 1000,
      );
    }
  });

  it('goes on counting where an earlier session ended, whatever its record ends with', async () => {
    const resumed = join(directory, 'resumed');
    await cp(volume, resumed, { recursive: true });
    await appendFile(join(resumed, 'metrics.jsonl'), '{"event":"round","rou');
    let text = '';
    const gateway = await startGateway((pushed) => {
      text = pushed.text;
    });
    const more = ['--rounds', '3', '--pushgateway', gateway.url];
    await finishRun(resumed, ['--data', data, ...SETTINGS, ...more]);
    await gateway.close();
    const { id } = await readRunRecord(volumePaths(resumed).run);
    const samples = samplesOf(text);
    assert.equal(samples.get(`fedbatch_run_round{run="${id}"}`), 3);
    assert.equal(samples.get(`fedbatch_run_client_turns_total{run="${id}",participation="reported"}`), 9);
    assert.equal(samples.get(`fedbatch_run_stage_seconds_count{run="${id}",stage="train"}`), 3);
  });

  it('on a cluster is told by the recorder, whose steps go on where those before them ended', async () => {
    const recorded = join(directory, 'recorded');
    await cp(volume, recorded, { recursive: true });
    let text = '';
    const gateway = await startGateway((pushed) => {
      text = pushed.text;
    });
    const { id, settings } = await readRunRecord(volumePaths(recorded).run);
    const failure = { stage: 'train', round: 3, exitCode: 5, reason: 'no room', next: 'more nodes' };
    const facts = join(directory, 'facts.json');
    await writeFile(facts, JSON.stringify({ settings, failure }));
    const { exitCode, stderr } = await runCommand('record', [
      ...['--step', 'failed', '--volume', recorded, '--facts', facts],
      ...['--pushgateway', gateway.url],
    ]);
    await gateway.close();
    assert.equal(exitCode, 0, stderr);
    const samples = samplesOf(text);
    assert.equal(samples.get(`fedbatch_run_round{run="${id}"}`), 2);
    assert.equal(samples.get(`fedbatch_run_failures_total{run="${id}",stage="train",exit_code="5"}`), 1);
    assert.equal(samples.get(`fedbatch_run_state{run="${id}",state="failed"}`), 1);
  });

  it('is refused where the port cannot be had; without it the same run comes to the same', async () => {
    const other = join(directory, 'other');
    const { exitCode, stderr } = await runCommand('run', [
      ...['--volume', other, '--data', data, ...SETTINGS],
      ...['--metrics-port', '0', '--metrics-host', '192.0.2.1'],
    ]);
    assert.equal(exitCode, 2, stderr);
    assert.match(
      stderr,
      /192\.0\.2\.1 is not an address of this machine; choose another with --metrics-host\./,
    );
    const { sha256 } = await finishRun(other, ['--data', data, ...SETTINGS, '--rounds', '2']);
    assert.equal(sha256, line.sha256);
    const record = JSON.stringify(await readRunRecord(volumePaths(volume).run));
    assert.doesNotMatch(record, /watching|metricsPort|pushgateway/);
    const gateway = await runCommand('run', ['--pushgateway', 'pushgateway:9091']);
    assert.equal(gateway.exitCode, 2);
    assert.match(gateway.stderr, /Expected the address of a Pushgateway, such as http:\/\/pushgateway:9091/);
  });
});

describe('the metrics of a run', () => {
  const time = '2026-01-01T00:00:00.000Z';
  const events = (): readonly TimedEvent[] =>
    readFileSync(join(volume, 'metrics.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as TimedEvent);

  it('count what goes wrong: retries, diverged trainings, failures by stage and exit code', async () => {
    const { metrics, event, run } = createRunMetrics();
    const [start] = events();
    assert.ok(start?.event === 'start');
    event(start);
    const client = { client: 1, examples: 10, seconds: 4 };
    event({ event: 'update', time, round: 1, ...client, loss: null, learningRate: 0.5 });
    event({ event: 'update', time, round: 1, ...client, loss: 0.5 });
    event({ event: 'retry', time, round: 1, client: 2, retry: 1, reason: 'killed' });
    const failure = { stage: 'aggregate', exitCode: 4, reason: 'too few', next: 'more' };
    event({ event: 'failure', time, ...failure });
    const samples = samplesOf(await metrics.text());
    const of = (name: string, labels = '') => samples.get(`fedbatch_run_${name}{run="${run()}"${labels}}`);
    assert.equal(of('diverged_updates_total'), 1);
    assert.equal(of('client_seconds_sum'), 8);
    assert.equal(of('learning_rate'), 0.5);
    assert.equal(of('retries_total'), 1);
    assert.equal(of('failures_total', ',stage="aggregate",exit_code="4"'), 1);
    assert.equal(of('state', ',state="failed"'), 1);
    assert.equal(of('loss'), undefined, 'what has not happened yet has no value');
  });

  it('are told to nobody before the run has begun', async () => {
    const pushes: Push[] = [];
    const gateway = await startGateway((pushed) => void pushes.push(pushed));
    const paths = volumePaths(join(directory, 'nothing'));
    const given = { 'watching.pushgateway': gateway.url };
    const watchers = await openWatchers(given, { paths, reporter: silentReporter });
    await watchers.close();
    await gateway.close();
    assert.deepEqual(pushes, []);
  });
});
