/** Tests of the number of clients: asked for, by default, or as the data say. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../lib/core/errors.js';
import { encodeNpz } from '../lib/formats/data/npz.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { byFlag } from '../lib/settings/setting.js';
import { ALL_PARTS } from '../lib/settings/table.js';
import { numberedExamples } from '../test/datasets.js';
import { runProgramFile } from '../test/programs.js';
import { partitionSettings } from '../test/settings.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { numberOfClients } from './number-of-clients.js';

const named = byFlag({ parts: ALL_PARTS });

test('left to the default, else as asked for', async () => {
  const partition = partitionSettings('dirichlet');
  assert.equal(await numberOfClients({ data: 'digits', partition, asked: undefined, named }), undefined);
  assert.equal(await numberOfClients({ data: 'digits', partition, asked: 7, named }), 7);
});

test('by-key and given count the clients in the data, and a contradiction is refused with the numbers', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = join(directory, 'letters.npz');
  await writeFile(data, await encodeNpz([{ name: 'writer', shape: [4], values: Int32Array.of(5, 9, 5, 5) }]));
  const byKey = { data, partition: partitionSettings('by-key', { key: 'writer' }) };
  const twice = await temporaryDirectory(t);
  for (const client of [0, 1]) await writeShard(join(twice, `${client}.npz`), numberedExamples(3));
  for (const request of [byKey, { data: twice, partition: partitionSettings('given') }]) {
    for (const asked of [undefined, 2]) assert.equal(await numberOfClients({ ...request, asked, named }), 2);
    await assert.rejects(numberOfClients({ ...request, asked: 3, named }), (error) => {
      assert.ok(error instanceof UsageError);
      return /--clients 3 contradicts the data: .* tells of 2 clients\. Leave --clients out\.$/.test(
        error.message,
      );
    });
  }
  const digits = numberOfClients({ ...byKey, data: 'digits', asked: undefined, named });
  await assert.rejects(digits, /The dataset digits does not say whose its examples are/);
});

test('fedbatch run refuses what cannot be, before anything is written', async (t) => {
  const volume = join(await temporaryDirectory(t), 'volume');
  for (const [flags, message] of [
    [
      '--partition dirichlet --alpha 0',
      /'--alpha <alpha>' argument '0' is invalid\. Expected a number above 0, found "0"/,
    ],
    ['--alpha 0.5', /--alpha 0\.5 belongs to --partition dirichlet or quantity-skew, not to iid/],
    ['--partition by-key', /--partition by-key needs --key/],
  ] as const) {
    const { exitCode, stderr } = await runProgramFile('pipeline/cli', [
      ...flags.split(' '),
      '--volume',
      volume,
    ]);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, message);
  }
  await assert.rejects(readdir(volume), /ENOENT/);
});
