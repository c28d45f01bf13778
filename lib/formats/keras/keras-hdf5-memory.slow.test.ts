/** What HDF5's library holds of files that were read and written is given back. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fixturePath } from '../../../test/keras-fixtures.js';
import { DataError } from '../../core/errors.js';
import { loadLibrary } from '../hdf5/hdf5-library.js';
import { writeHdf5 } from '../hdf5/hdf5-writer.js';
import { decodeKerasFile, encodeKerasFile } from './keras-hdf5.js';

test('model files leave nothing in memory after 1,000 reads and writes, good and bad', async () => {
  const { Module } = await loadLibrary();
  const files = Module.FS as unknown as { readdir(path: string): string[]; streams: unknown[] };
  const good = await readFile(fixturePath('keras2-cnn-adam.h5'));
  const bad = good.subarray(0, good.length - 1000);
  const broken = await writeHdf5((hdf5) => {
    const config = { name: 'dense', units: 2, use_bias: false };
    const layers = [{ class_name: 'Dense', config }];
    hdf5.text('/', 'model_config', JSON.stringify({ class_name: 'Sequential', config: layers }));
    hdf5.group('/model_weights');
    hdf5.texts('/model_weights', 'layer_names', ['dense']);
    hdf5.group('/model_weights/dense');
  });
  const once = async () => {
    await encodeKerasFile(await decodeKerasFile(good, 'good'));
    await assert.rejects(decodeKerasFile(bad, 'bad'), DataError);
    await assert.rejects(decodeKerasFile(broken, 'broken'), DataError);
  };
  for (let round = 0; round < 100; round++) await once();
  const before = {
    names: files.readdir('/'),
    streams: files.streams.filter(Boolean).length,
    heap: Module.HEAPU8.length,
  };
  for (let round = 0; round < 1000; round++) await once();
  const afterwards = {
    names: files.readdir('/'),
    streams: files.streams.filter(Boolean).length,
    heap: Module.HEAPU8.length,
  };
  assert.deepEqual(afterwards, before);
});
