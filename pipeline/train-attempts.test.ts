/** Which failures of a trainer are tried again, which are not, and what a deadline makes of them: on real processes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExitCode, InterruptedError, StageError } from '../lib/core/errors.js';
import type { Manifest } from '../lib/formats/manifest.js';
import type { RunEvent } from '../lib/formats/metrics-event.js';
import type { RunSettings } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { silentReporter } from '../lib/observability/events.js';
import type { LocalRun } from './local-run.js';
import { runStage } from './stage-process.js';
import { attemptTraining, type Deadline, deadlineIn } from './train-attempts.js';
import type { ClientTrainer } from './train-client.js';

const settings: RunSettings = {
  seed: 0,
  dataset: { name: 'digits' },
  model: { name: 'mlp' },
  engine: { name: 'auto' },
  training: { epochs: 1, batch: 1, optimizer: 'sgd', learningRate: 1, momentum: 0 },
  federation: {
    ...{ clients: 1, rounds: 1, fraction: 1, minClients: 1 },
    partition: { scheme: 'iid', minExamples: 1 },
  },
};
const hash = '0'.repeat(64);
const shard = { examples: 1, labelHistogram: [1], sizeBytes: 1, sha256: hash };
const data: Manifest = {
  schemaVersion: 1,
  dataset: { file: 'digits', sha256: hash, testFraction: null },
  partition: { scheme: 'iid', minExamples: 1, seed: 0 },
  classes: 1,
  image: { shape: [1, 1], dtype: 'uint8' },
  shards: [{ ...shard, file: '0.npz' }],
  test: { ...shard, file: 'test.npz' },
};
const client = {
  client: 4,
  ...{ examples: 1, seconds: 1, loss: 1, accuracy: 1, shard: hash, sha256: hash },
};
const task = { task: { round: 2, global: { file: 'global.h5', sha256: '' }, clients: [4] }, data, client: 4 };

/** Attempts a client whose processes behave like this, one after the other; the last behaviour stays. */
async function attempt(
  behaviours: readonly string[],
  { retries = 2, deadline, signal = new AbortController().signal }: Partial<Options> = {},
) {
  let started = 0;
  const metrics: RunEvent[] = [];
  const run: LocalRun = {
    ...{ paths: volumePaths('volume'), settings, jobs: 1, threads: 1, cores: 1, toldEngines: new Set() },
    ...{ reporter: silentReporter, signal, tolerance: { retries } },
    metrics: { append: async (metric) => void metrics.push(metric) },
  };
  const trainer: ClientTrainer = async (context) => {
    const behaviour = behaviours[Math.min(started++, behaviours.length - 1)] ?? '';
    await runStage(
      { stage: 'train', client: 4, program: 'test/programs/stage.js', arguments: [behaviour] },
      context,
    );
    return client;
  };
  const outcome = await attemptTraining(run, { task, trainer, deadline }).catch((error: unknown) => ({
    thrown: error,
  }));
  return { outcome, started, retried: metrics.filter((each) => each.event === 'retry') };
}

interface Options {
  readonly retries: number;
  readonly deadline: Deadline | undefined;
  readonly signal: AbortSignal;
}

describe('attemptTraining', () => {
  it('tries crashes, kills and bugs again, tells each, and reports the success', async () => {
    const { outcome, started, retried } = await attempt(['crash', 'vanish', 'succeed']);
    assert.deepEqual(outcome, { reported: client });
    assert.equal(started, 3);
    assert.deepEqual(
      retried.map(({ event, round, client, retry }) => ({ event, round, client, retry })),
      [1, 2].map((retry) => ({ event: 'retry', round: 2, client: 4, retry })),
    );
    assert.match(String(retried[0]?.reason), /^was ended by SIGABRT: Segmentation fault, or so$/);
    assert.equal(retried[1]?.reason, 'was killed (SIGKILL), perhaps because memory ran out');
  });

  it('gives up after the last retry, with the last reason', async () => {
    const { outcome, started } = await attempt(['break', 'vanish'], { retries: 1 });
    assert.ok('reason' in outcome && outcome.error instanceof StageError);
    assert.equal(outcome.reason, 'was killed (SIGKILL), perhaps because memory ran out');
    assert.equal(started, 2);
    assert.equal((await attempt(['vanish'], { retries: 0 })).started, 1);
  });

  it('does not try bad input again', async () => {
    const { outcome, started } = await attempt(['refuse', 'succeed']);
    assert.ok('reason' in outcome);
    assert.equal(outcome.reason, 'ended with exit code 3: 7.npz: expected a shard, found a stone');
    assert.equal(started, 1);
  });

  it('throws what is wrong with every client: the configuration', async () => {
    const { outcome, started } = await attempt(['--nonsense', 'succeed']);
    assert.ok('thrown' in outcome && outcome.thrown instanceof StageError);
    assert.equal(outcome.thrown.exitCode, ExitCode.usage);
    assert.equal(started, 1);
  });

  it('stops at the deadline who works and who is deaf, and starts nobody after it', async () => {
    for (const behaviour of ['wait', 'stall']) {
      const { outcome, started } = await attempt([behaviour], { deadline: deadlineIn(1) });
      assert.deepEqual([outcome, started], [{ reason: 'late: not done within 1 s' }, 1]);
    }
    const late = await attempt(['succeed'], { deadline: { seconds: 1, signal: AbortSignal.abort() } });
    assert.deepEqual([late.outcome, late.started], [{ reason: 'late: not started within 1 s' }, 0]);
  });

  it('is interrupted with the run: that is no fault of the client', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    const { outcome } = await attempt(['wait'], { deadline: deadlineIn(60), signal: stop.signal });
    assert.ok('thrown' in outcome && outcome.thrown instanceof InterruptedError);
  });
});
