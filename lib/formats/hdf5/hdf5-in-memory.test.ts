/** HDF5 files are read and written where their bytes lie, in memory here: nothing else appears on the disk. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { sizeOf } from '../../core/weights.js';
import { loadLibrary } from './hdf5-library.js';
import { readHdf5 } from './hdf5-reader.js';
import { writeHdf5 } from './hdf5-writer.js';

const filesAtRoot = () => readdirSync('/').filter((name) => name.startsWith('fedbatch-'));

test('neither writing nor reading HDF5 touches the disk', async () => {
  const bytes = await writeHdf5((hdf5) => {
    hdf5.group('/weights');
    assert.deepEqual(filesAtRoot(), []);
  });
  const kind = await readHdf5(bytes, 'weights.h5', (hdf5) => {
    assert.deepEqual(filesAtRoot(), []);
    return hdf5.kind('/weights');
  });
  assert.equal(kind, 'group');
});

test('large arrays come back whole, though they go past the memory of the library, which is never given back', async () => {
  const { Module } = await loadLibrary();
  const before = Module.HEAPU8.length;
  // Rows longer than what is read to find an array, shorter ones, and an array just large enough.
  const shapes = [[7, 3, 150_001], [2_000_003, 2], [1, 1, 5_000_000], [32_768]];
  const arrays = shapes.map((shape) => ({
    shape,
    values: Float32Array.from({ length: sizeOf(shape) }, (_, at) => at % 9973),
  }));
  const doubles = Float64Array.from({ length: 100_000 }, (_, at) => at / 7);
  const bytes = await writeHdf5((hdf5) => {
    for (const [at, array] of arrays.entries()) hdf5.floats(`/${at}`, array);
    hdf5.floats('/doubles', { shape: [doubles.length], values: doubles });
  });
  await readHdf5(bytes, 'large.h5', (hdf5) => {
    for (const [at, { shape, values }] of arrays.entries()) {
      const array = hdf5.array(`/${at}`, ['float32']);
      const place = array.place() ?? assert.fail(`/${at} has no place`);
      const raw = Buffer.from(bytes.buffer, bytes.byteOffset + place, values.byteLength);
      assert.deepEqual(array.shape, shape);
      assert.ok(raw.equals(Buffer.from(values.buffer)), `/${at}`);
      assert.ok(Buffer.from(array.read().buffer).equals(raw), `/${at}`);
    }
    assert.ok(
      Buffer.from(hdf5.doubles('/doubles', doubles.length).buffer).equals(Buffer.from(doubles.buffer)),
    );
  });
  assert.ok(Module.HEAPU8.length - before < 1e6);
});
