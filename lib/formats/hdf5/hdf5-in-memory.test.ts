/** HDF5 files are read and written in memory: nothing appears on the real disk, where processes would collide. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
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

test('a large array comes back whole, though it is read in parts', async () => {
  // More than a part holds, and rows that do not divide it.
  const shape = [7, 3, 150_001];
  const values = Float32Array.from({ length: 7 * 3 * 150_001 }, (_, at) => at % 9973);
  const bytes = await writeHdf5((hdf5) => hdf5.floats('/large', { shape, values }));
  const read = await readHdf5(bytes, 'large.h5', (hdf5) => hdf5.floats('/large', ['float32']));
  assert.deepEqual(read.shape, shape);
  assert.ok(Buffer.from(read.values.buffer).equals(Buffer.from(values.buffer)));
});
