import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { writeRecord } from '../../lib/formats/run-record.js';
import { aRunRecord } from '../../test/sample-records.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { findTest, findTraining } from './model-records.js';

const HASH = 'a1'.repeat(32);

describe('where a model comes from', () => {
  let volume: string;
  before(async () => {
    volume = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  });
  after(() => rm(volume, { recursive: true, force: true }));

  it('is what the records beside it say about exactly this file', async () => {
    const model = join(volume, 'aggregated-model.h5');
    assert.equal(await findTraining(model, HASH), undefined, 'no records');
    const line = (round: number, sha256: string) =>
      JSON.stringify({ time: `2026-01-0${round}T10:20:30.000Z`, event: 'round', round, sha256 });
    const lines = [line(1, 'b2'.repeat(32)), line(2, HASH), '{"event":"round"', line(3, 'c3'.repeat(32))];
    await writeFile(join(volume, 'metrics.jsonl'), `${lines.join('\n')}\n`);
    assert.equal(await findTraining(model, HASH), undefined, 'no run.json');
    await writeRecord(join(volume, 'run.json'), aRunRecord({ clients: 7 }));
    assert.deepEqual(await findTraining(model, HASH), {
      rounds: 2,
      clients: 7,
      finishedAt: '2026-01-02T10:20:30.000Z',
    });
    assert.equal(await findTraining(model, 'd4'.repeat(32)), undefined, 'another file');
  });
});

describe('what a test found', () => {
  it('is the metric that leads the task, where no answer is simply right', async (t) => {
    const model = join(await temporaryDirectory(t), 'model.h5');
    const record = {
      ...{ model, sha256: HASH, data: 'test.npz', examples: 20, loss: 9 },
      ...{ task: 'regression', metrics: { rmse: 3, mae: 2 } },
    };
    await writeFile(join(dirname(model), 'accuracy.json'), JSON.stringify(record));
    const tested = { metric: 'rmse', value: 3, examples: 20 };
    assert.deepEqual(await findTest(model, HASH), { tested });
    assert.deepEqual(await findTest(model, 'd4'.repeat(32)), {}, 'another file');
  });
});
