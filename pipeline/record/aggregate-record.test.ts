/** What a failed aggregation leaves on record, whoever did the work. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { StageError } from '../../lib/core/errors.js';
import { makeDirectory } from '../../lib/formats/files/atomic-file.js';
import { readRoundRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { failAggregation } from './aggregate-record.js';
import { openMetrics } from './metrics.js';
import { openLedger } from './round-ledger.js';

test('round.json and metrics.jsonl name the same refused updates, and none of a client that is missing', async (t) => {
  const paths = volumePaths(await temporaryDirectory(t));
  const round = paths.round(1);
  await makeDirectory(join(round.record, '..'));
  const ledger = await openLedger(round, { round: 1, parent: 'a'.repeat(64), selected: [0, 1, 2] });
  await ledger.lose({ client: 1, reason: 'was killed' });
  await writeFile(paths.run, '{}');
  const metrics = await openMetrics(paths);
  const rejected = [
    { client: 0, reason: 'holds NaN' },
    { client: 1, reason: 'is cut off' },
    { file: 'stray.h5', reason: 'is no model' },
  ];
  const error = new StageError('aggregate', 'found 0 good updates');
  await assert.rejects(failAggregation({ metrics }, { ledger, rejected, error }), error);
  const refused = [rejected[0], rejected[2]];
  const record = await readRoundRecord(round.record);
  assert.deepEqual(record.rejected, refused);
  assert.deepEqual(record.failure, { stage: 'aggregate', reason: error.message });
  const event = JSON.parse(await readFile(paths.metrics, 'utf8')) as Readonly<Record<string, unknown>>;
  assert.deepEqual([event.event, event.round, event.rejected], ['rejected', 1, refused]);

  const interruption = new Error('interrupted');
  await assert.rejects(
    failAggregation({ metrics }, { ledger, rejected: [], error: interruption }),
    interruption,
  );
  assert.deepEqual((await readRoundRecord(round.record)).rejected, refused, 'nothing new is recorded');
});
