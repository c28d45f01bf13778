import assert from 'node:assert/strict';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireValidFile } from '../../test/results.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { DataError } from '../core/errors.js';
import { type NoiseFile, openNoiseFile } from './noise-file.js';

const INPUTS = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

async function draw(noise: NoiseFile, round: number, inputs: string, model: string): Promise<number> {
  const { uint32 } = noise.source({ round, inputs });
  const bits = uint32();
  await noise.count(model);
  return bits;
}

test('the key lies there before noise is drawn, for its owner only, under any umask', async (t) => {
  const path = join(await temporaryDirectory(t), 'noise-key.json');
  const umask = process.umask(0);
  try {
    const noise = await openNoiseFile(path);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    await draw(noise, 1, INPUTS, join(path, 'none'));
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  } finally {
    process.umask(umask);
  }
});

test('the same sum gets the same noise and is counted once; another sum of the round is counted again', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'noise-key.json');
  const model = join(directory, 'global.h5');
  const first = await openNoiseFile(path);
  const bits = await draw(first, 1, INPUTS, model);
  assert.deepEqual(first.redrawn(1), []);
  const again = await openNoiseFile(path);
  assert.equal(await draw(again, 1, INPUTS, model), bits);
  assert.deepEqual(again.redrawn(1), []);
  const others = new Set([bits]);
  others.add(await draw(again, 2, INPUTS, model));
  assert.deepEqual(again.redrawn(2), []);
  others.add(await draw(again, 1, OTHER, model));
  assert.equal(others.size, 3);
  assert.deepEqual([again.redrawn(1), again.redrawn(2), again.redrawn(0)], [[2], [2], []]);
  assert.deepEqual((await openNoiseFile(path)).redrawn(2), [2]);
  requireValidFile('noise-key', path);
  const text = await readFile(path, 'utf8');
  assert.ok(!text.includes(INPUTS) && !text.includes(OTHER), 'the sums are not told');
});

test('what was drawn and not counted is no draw: nobody has seen it', async (t) => {
  const path = join(await temporaryDirectory(t), 'noise-key.json');
  const noise = await openNoiseFile(path);
  noise.source({ round: 1, inputs: OTHER });
  await draw(noise, 1, INPUTS, 'none');
  assert.deepEqual(noise.redrawn(1), []);
});

test('of several that make the key at once one succeeds, and all draw with it', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'noise-key.json');
  const all = await Promise.all(Array.from({ length: 8 }, () => openNoiseFile(path)));
  const bits = all.map(({ source }) => source({ round: 1, inputs: INPUTS }).uint32());
  assert.equal(new Set(bits).size, 1);
  assert.deepEqual(await readdir(directory), ['noise-key.json']);
});

test('a model whose key is lost counts as drawn before; what is no key, or cannot be read, is said', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'noise-key.json');
  const model = join(directory, 'global.h5');
  await writeFile(model, 'a model');
  const noise = await openNoiseFile(path);
  await draw(noise, 1, INPUTS, model);
  assert.deepEqual(noise.redrawn(1), [2]);
  await chmod(path, 0o600);
  await writeFile(path, '{"key":"short"}');
  await assert.rejects(openNoiseFile(path), DataError);
});
