/** Metrics come out at a port and at a Pushgateway; a gateway that is away holds up nobody. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { freePort } from '../../test/processes.js';
import { type Push, samplesOf, startGateway } from '../../test/prometheus-text.js';
import { UsageError } from '../core/errors.js';
import { type Reporter, silentReporter } from '../observability/events.js';
import { openOutlets } from './outlets.js';
import { createRegistry } from './registry.js';
import { createStageMetrics } from './stage-metrics.js';
import { measured } from './watched-stage.js';

const LOOPBACK = '127.0.0.1';

function tellingReporter() {
  const told: string[] = [];
  const tell = (message: string) => void told.push(message);
  return { told, reporter: { ...silentReporter, info: tell, warn: tell } satisfies Reporter };
}

describe('the port', () => {
  it('answers GET /metrics, and nothing else, until it is closed', async () => {
    const metrics = createRegistry();
    metrics
      .gauge('answers', { help: 'Of the test.', labels: ['question'] })
      .labels('which')
      .set(42);
    const { told, reporter } = tellingReporter();
    const options = { metrics, group: () => undefined, reporter };
    const outlets = await openOutlets({ port: 0, host: LOOPBACK }, options);
    const [, url = ''] = /^Prometheus finds metrics at (http:\S+)$/.exec(told[0] ?? '') ?? [];
    const response = await fetch(url);
    assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
    const samples = samplesOf(await response.text());
    assert.equal(samples.get('fedbatch_answers{question="which"}'), 42);
    assert.ok((samples.get('fedbatch_process_resident_memory_bytes') ?? 0) > 1e6, 'and of the process');
    assert.equal((await fetch(url.replace('/metrics', '/'))).status, 404);
    assert.equal((await fetch(url, { method: 'POST' })).status, 405);
    await outlets.close();
    await assert.rejects(fetch(url));
  });

  it('that is taken is told with the flag that gives another', async () => {
    const taken = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => taken.listen(port, LOOPBACK, resolve));
    const options = { metrics: createRegistry(), group: () => undefined, reporter: silentReporter };
    await assert.rejects(openOutlets({ port, host: LOOPBACK }, options), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(
        error.message,
        /^Port \d+ on 127\.0\.0\.1 is in use .*--metrics-port \(0 picks a free one\)\.$/,
      );
      return true;
    });
    taken.close();
  });
});

describe('a Pushgateway', () => {
  const trained = { client: 3, examples: 100, seconds: 2, loss: 0.25, accuracy: 0.5 };

  it('is told the result of a stage at the end, in a group of its own', async () => {
    const pushes: Push[] = [];
    const gateway = await startGateway((push) => void pushes.push(push));
    const given = { 'watching.pushgateway': `${gateway.url}/below/` };
    await measured('train', { given, reporter: silentReporter }, async (reporter) => {
      reporter.progress({ stage: 'train', client: 3, done: 50, total: 100, unit: 'examples', loss: null });
      return trained;
    });
    await gateway.close();
    const [push] = pushes;
    assert.equal(pushes.length, 1);
    assert.equal(push?.method, 'PUT');
    assert.equal(push?.path, '/below/metrics/job/fedbatch/stage/train/client/3');
    const samples = samplesOf(push?.text ?? '');
    assert.equal(samples.get('fedbatch_train_examples_done{client="3"}'), 50);
    assert.equal(samples.get('fedbatch_train_loss{client="3"}'), 0.25);
    assert.equal(samples.get('fedbatch_train_seconds{client="3"}'), 2);
  });

  it('that is away, or that refuses, costs one warning without its password, and nothing else', async () => {
    const url = `http://me:secret@${LOOPBACK}:${await freePort()}/x`;
    const { told, reporter } = tellingReporter();
    const given = { 'watching.pushgateway': url };
    assert.equal(await measured('train', { given, reporter }, async () => trained), trained);
    assert.equal(told.length, 1);
    assert.match(
      told[0] ?? '',
      /^The Pushgateway at http:\/\/127\.0\.0\.1:\d+\/x has no metrics, and the work goes on: .*ECONNREFUSED/,
    );
    assert.doesNotMatch(told[0] ?? '', /secret/);
  });

  it('of a stage that fails is told how far it was', async () => {
    const pushes: Push[] = [];
    const gateway = await startGateway((push) => void pushes.push(push));
    const given = { 'watching.pushgateway': gateway.url };
    const failing = measured('train', { given, reporter: silentReporter }, async (reporter) => {
      reporter.progress({ stage: 'train', client: 0, done: 1, total: 2, unit: 'examples' });
      throw new Error('no memory');
    });
    await assert.rejects(failing, /no memory/);
    await gateway.close();
    const samples = samplesOf(pushes[0]?.text ?? '');
    assert.equal(samples.get('fedbatch_train_examples_done{client="0"}'), 1);
    assert.ok(!samples.has('fedbatch_train_seconds{client="0"}'));
  });
});

describe('a stage', () => {
  it('has its progress as metrics: NaN where a loss has overflowed', async () => {
    const { metrics, progress } = createStageMetrics('train');
    progress({
      ...{ stage: 'train', client: 1, done: 20, total: 80, unit: 'examples' },
      ...{ epoch: 2, epochs: 4, loss: null, accuracy: 0.75, examplesPerSecond: 12.5 },
    });
    const samples = samplesOf(await metrics.text());
    const of = (name: string) => samples.get(`fedbatch_train_${name}{client="1"}`);
    assert.deepEqual(['epoch', 'epochs', 'examples_done', 'examples_planned', 'loss'].map(of), [
      2,
      4,
      20,
      80,
      Number.NaN,
    ]);
    assert.deepEqual(['accuracy', 'examples_per_second'].map(of), [0.75, 12.5]);
  });

  it('that aggregates tells what it merged and what it rejected', async () => {
    const { metrics, progress, ended } = createStageMetrics('aggregate');
    const counts = { merged: 2, mergedBytes: 2048, rejected: 1 };
    progress({ stage: 'aggregate', done: 3, total: 4, unit: 'models', ...counts });
    const before = samplesOf(await metrics.text());
    assert.equal(before.get('fedbatch_aggregate_updates_found'), 4);
    assert.equal(before.get('fedbatch_aggregate_updates_merged'), 2);
    assert.equal(before.get('fedbatch_aggregate_bytes'), 2048);
    ended({ updates: 3, examples: 30, seconds: 1, rejected: ['a', 'b'] });
    const after = samplesOf(await metrics.text());
    assert.equal(after.get('fedbatch_aggregate_updates_merged'), 3);
    assert.equal(after.get('fedbatch_aggregate_updates_rejected'), 2);
    assert.equal(after.get('fedbatch_aggregate_examples'), 30);
  });

  it('that nobody asks about is not watched', async () => {
    const seen = await measured('train', { given: {}, reporter: silentReporter }, async (reporter) => {
      assert.equal(reporter, silentReporter);
      return { examples: 1, seconds: 0 };
    });
    assert.equal(seen.examples, 1);
    const given = { 'watching.metricsHost': '0.0.0.0' };
    await assert.rejects(
      measured('train', { given, reporter: silentReporter }, async () => trainedNothing),
      { message: '--metrics-host 0.0.0.0 goes with --metrics-port alone.' },
    );
  });
});

const trainedNothing = { examples: 0, seconds: 0 };
