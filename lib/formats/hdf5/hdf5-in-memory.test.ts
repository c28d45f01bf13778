/** HDF5 files are read and written where their bytes lie, in memory here: nothing else appears on the disk. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { errorCode } from '../../core/system-errors.js';
import { sizeOf } from '../../core/weights.js';
import { type ByteSource, memorySource } from '../files/byte-source.js';
import { loadLibrary } from './hdf5-library.js';
import { type Hdf5Reader, readHdf5 } from './hdf5-reader.js';
import { type ByteTarget, type Hdf5Writer, writeHdf5, writeHdf5To } from './hdf5-writer.js';

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

test('an attribute whose value takes time, as a digest does, is found once', async () => {
  let times = 0;
  const bytes = await writeHdf5((hdf5) => {
    hdf5.group('/weights');
    hdf5.text('/weights', 'sha256', () => `${++times}`);
  });
  assert.equal(await readHdf5(bytes, 'weights.h5', (hdf5) => hdf5.text('/weights', 'sha256')), '1');
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

test('what the system says is told, at whichever reading or writing it says so, and other files are none the worse', async () => {
  const values = Float32Array.from({ length: 40_000 }, (_, at) => at);
  const build = (hdf5: Hdf5Writer) => {
    hdf5.group('/weights');
    hdf5.text('/weights', 'name', 'dense');
    hdf5.floats('/weights/kernel', { shape: [200, 200], values });
  };
  const read = (hdf5: Hdf5Reader) => hdf5.array('/weights/kernel', ['float32']).read();
  const bytes = await writeHdf5(build);
  /** Calls that are counted; the one with the number `failing` fails, and all after it. */
  const failingFrom = (failing: number) => {
    let calls = 0;
    const count = () => {
      if (calls++ >= failing) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    };
    return { count, calls: () => calls };
  };
  const reading = async (failing: number) => {
    const { count, calls } = failingFrom(failing);
    const source = memorySource(bytes);
    const from: ByteSource = {
      ...source,
      read(into, at) {
        count();
        return source.read(into, at);
      },
    };
    assert.deepEqual(await readHdf5(from, 'model.h5', read), values);
    return calls();
  };
  const writing = async (failing: number) => {
    const { count, calls } = failingFrom(failing);
    const written = new Uint8Array(bytes.length);
    const target: ByteTarget = {
      write(part, at) {
        count();
        written.set(part, at);
      },
      read: memorySource(written).read,
      resize: count,
    };
    await writeHdf5To(target, build);
    assert.ok(Buffer.from(written).equals(bytes));
    return calls();
  };
  for (const [what, work] of Object.entries({ reading, writing })) {
    const calls = await work(Number.POSITIVE_INFINITY);
    assert.ok(calls > 3, what);
    for (let failing = 0; failing < calls; failing++)
      await assert.rejects(work(failing), (error) => errorCode(error) === 'EIO', `${what} ${failing}`);
    await work(Number.POSITIVE_INFINITY);
  }
});
