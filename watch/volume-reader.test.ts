/** Records that are read again and again: only those that have changed, and what is damaged is told of. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { DataError } from '../lib/core/errors.js';
import { volumePaths } from '../lib/formats/volume.js';
import { beginVolume } from '../test/live-volume.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { createVolumeReader, NOTHING, volumeMark } from './volume-reader.js';

test('a record is read again when it has changed, and only then; one that is gone is no more', async (t) => {
  const root = await temporaryDirectory(t);
  const reader = createVolumeReader(root);
  const file = join(root, 'data', 'a.json');
  let reads = 0;
  const parse = async (path: string) => {
    reads++;
    return readFile(path, 'utf8');
  };
  const read = () => reader.reading((record) => record(file, parse));
  assert.equal(await read(), undefined);
  assert.equal(reads, 0, 'what is not listed is not asked for');
  await mkdir(join(root, 'data'));
  await writeFile(file, 'one');
  assert.deepEqual([await read(), await read(), reads], ['one', 'one', 1]);
  await writeFile(file, 'two, longer');
  assert.deepEqual([await read(), reads], ['two, longer', 2]);
  await rm(file);
  assert.deepEqual([await read(), reads], [undefined, 2]);
});

test('a damaged record counts as not there and is told of, until it is mended', async (t) => {
  const root = await temporaryDirectory(t);
  const reader = createVolumeReader(root);
  const file = join(root, 'a.json');
  const parse = async (path: string) => {
    const text = await readFile(path, 'utf8');
    if (text === '{') throw new DataError({ file: 'a.json', expected: 'JSON', found: '{' });
    return text;
  };
  const read = () => reader.reading((record) => record(file, parse));
  await writeFile(file, '{');
  assert.equal(await read(), undefined);
  assert.deepEqual(reader.faults(), ['a.json: expected JSON, found {.']);
  await writeFile(file, '{}');
  assert.equal(await read(), '{}');
  assert.deepEqual(reader.faults(), []);
});

test('a record that is listed and cannot be opened yet is what it was', async (t) => {
  const root = await temporaryDirectory(t);
  const reader = createVolumeReader(root);
  const file = join(root, 'a.json');
  await writeFile(file, 'one');
  let isAway = false;
  const parse = async (path: string) => {
    if (isAway) throw Object.assign(new Error('stale'), { code: 'ESTALE' });
    return readFile(path, 'utf8');
  };
  const read = () => reader.reading((record) => record(file, parse));
  assert.equal(await read(), 'one');
  isAway = true;
  await writeFile(file, 'two, longer');
  assert.equal(await read(), 'one');
  isAway = false;
  assert.equal(await read(), 'two, longer');
});

test('the mark of a volume changes with each event and round, and with nothing else', async (t) => {
  const root = join(await temporaryDirectory(t), 'run');
  const mark = () => volumeMark(volumePaths(root));
  assert.equal(await mark(), NOTHING);
  const volume = await beginVolume(root);
  const seen = [await mark()];
  assert.equal(await mark(), seen[0]);
  await volume.tell({ event: 'split', shards: 4, seconds: 1 });
  seen.push(await mark());
  await volume.round(1);
  seen.push(await mark());
  assert.equal(new Set(seen).size, 3);
  await rm(root, { recursive: true });
  assert.equal(await mark(), NOTHING);
});
