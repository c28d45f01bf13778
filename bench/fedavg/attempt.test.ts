import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from '../../lib/formats/files/atomic-file.js';
import { newRoundRecord, writeRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { sampleRecords } from '../../test/sample-records.js';
import { readCurve, readHashes, readSeconds, secondsOf } from './attempt.js';

const HASH = 'a'.repeat(64);

const event = (time: string, name: string): string =>
  JSON.stringify({ time: `2026-01-01T${time}.000Z`, event: name });

test('the time of a run is that of its calls, without the time between them', () => {
  const metrics = [
    event('10:00:00', 'start'),
    event('10:00:07', 'evaluation'),
    // Interrupted, and gone on with an hour later.
    event('11:00:00', 'start'),
    event('11:00:05', 'end'),
    '{"time":"2026-01-01T11:00:09',
  ].join('\n');
  assert.equal(secondsOf(metrics), 12);
  assert.equal(secondsOf(''), 0);
});

test('accuracies come from the records of the rounds, in their order; one without a test has none yet', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const paths = volumePaths(root);
  const evaluation = { model: HASH, test: HASH, examples: 10, loss: null, seconds: 1 };
  for (const [round, accuracy] of [
    [10, 0.75],
    [2, 0.5],
    [11, undefined],
  ] as const) {
    await makeDirectory(paths.round(round).root);
    const record = newRoundRecord({ round, parent: HASH, selected: [0] });
    const tested = accuracy === undefined ? {} : { evaluation: { ...evaluation, accuracy } };
    await writeRecord(paths.round(round).record, { ...record, ...tested });
  }
  await makeDirectory(paths.round(12).root);
  assert.deepEqual(await readCurve(root, 'accuracy'), [
    { round: 2, value: 0.5 },
    { round: 10, value: 0.75 },
  ]);
  assert.deepEqual(await readCurve(root, 'rmse'), [], 'nothing is read of a metric that was not found');
  assert.equal(await readHashes(root), undefined);
  const { run } = sampleRecords();
  await writeRecord(paths.run, run);
  // Of the newest model that was tested.
  assert.deepEqual(await readHashes(root), { data: run.settings.dataset.sha256, model: HASH });
});

test('a volume that does not exist yet has no rounds and took no time', async () => {
  assert.deepEqual(await readCurve(join(tmpdir(), 'fedbatch-no-such-volume'), 'accuracy'), []);
  assert.equal(await readSeconds(join(tmpdir(), 'fedbatch-no-such-volume')), 0);
});
