import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { DataError } from '../lib/core/errors.js';
import type { Examples } from '../lib/federation/examples.js';
import { readDataset } from '../lib/formats/data/dataset.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { type Reporter, silentReporter } from '../lib/observability/events.js';
import { partsOf } from '../test/datasets.js';
import { digitsPath, provideDigits } from './npz-cache.js';
import { resolveDataset } from './resolve.js';

let cacheDirectory: string;
before(async () => {
  cacheDirectory = await mkdtemp(join(tmpdir(), 'fedbatch-'));
});
after(() => rm(cacheDirectory, { recursive: true }));

/** A reporter that keeps the warnings. */
function listen(): { readonly reporter: Reporter; readonly warnings: string[] } {
  const warnings: string[] = [];
  return { reporter: { ...silentReporter, warn: (message) => warnings.push(message) }, warnings };
}

test('digits is generated once and then found', async () => {
  const file = await resolveDataset('digits', { cacheDirectory });
  assert.match(basename(file), /^digits-v\d+-seed0-6000-1000\.npz$/);
  const { train, test: held } = await readDataset(file);
  assert.deepEqual(
    [partsOf(train).shape, partsOf(held as Examples).shape],
    [
      [6000, 28, 28],
      [1000, 28, 28],
    ],
  );
  const { mtimeMs } = await stat(file);
  assert.equal(await resolveDataset('digits', { cacheDirectory }), file);
  assert.equal((await stat(file)).mtimeMs, mtimeMs);
});

const SMALL = { seed: 3, train: 30, test: 10 };

test('a damaged file in the cache is made anew, with a warning and the same bytes', async () => {
  const file = digitsPath(cacheDirectory, SMALL);
  const first = await provideDigits(SMALL, { cacheDirectory, reporter: silentReporter });
  assert.deepEqual(first, { file, skipped: false });
  const whole = await readFile(file);
  const flipped = Buffer.from(whole);
  flipped[2000] = (flipped[2000] ?? 0) ^ 1;
  for (const damaged of [flipped, whole.subarray(0, 1000), Buffer.alloc(0), Buffer.from('no zip')]) {
    await writeFile(file, damaged);
    const { reporter, warnings } = listen();
    const { skipped } = await provideDigits(SMALL, { cacheDirectory, reporter });
    assert.equal(skipped, false);
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0]?.includes(file) && warnings[0].endsWith('It is made anew.'), warnings[0]);
    assert.equal(sha256(await readFile(file)), sha256(whole));
  }
  const left = (await readdir(cacheDirectory)).filter((name) => !name.endsWith('.npz'));
  assert.deepEqual(left, []);
});

test('a file that does not hold what its name says is made anew', async () => {
  const other = { ...SMALL, train: 40 };
  await provideDigits(SMALL, { cacheDirectory, reporter: silentReporter });
  await writeFile(digitsPath(cacheDirectory, other), await readFile(digitsPath(cacheDirectory, SMALL)));
  const { reporter, warnings } = listen();
  const { file } = await provideDigits(other, { cacheDirectory, reporter });
  assert.equal(warnings.length, 1);
  assert.equal(partsOf((await readDataset(file)).train).shape[0], 40);
});

test('a path is taken as it is, and what is neither name nor file is refused with the names', async () => {
  const path = join(cacheDirectory, 'mine.npz');
  await writeFile(path, 'anything');
  assert.equal(await resolveDataset(path), path);
  await assert.rejects(resolveDataset('digts'), (error) => {
    assert.ok(error instanceof DataError);
    assert.equal(
      error.message,
      'digts: expected a dataset (a file or folder, or one of the names digits, mnist), found no such file.',
    );
    return true;
  });
});
