/** Tests of npz: numpy's archives, ours, and archives that lie about themselves. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildZip, type ZipEntry } from '../../../test/hostile-files.js';
import { findNumpy, numpyExpected, numpyFixture, numpyValues, runPython } from '../../../test/numpy.js';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { DataError } from '../../core/errors.js';
import { inflateBudget } from '../files/read-file.js';
import { encodeNpy } from './npy.js';
import { encodeNpz, openNpz } from './npz.js';

const x = { name: 'x', shape: [2, 3], values: Uint8Array.of(1, 2, 3, 4, 5, 6) };
const y = { name: 'y', shape: [2], values: Int32Array.of(0, 7) };
const xNpy = encodeNpy(x.values, x.shape);

/** The message with which reading `x` of an archive is refused. */
async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    (await openNpz(bytes, 'a.npz')).read('x');
  } catch (error) {
    assert.ok(error instanceof DataError, String(error));
    return error.message;
  }
  return assert.fail('expected the archive to be refused');
}

const zipOfX = (changes: Partial<ZipEntry> = {}) => buildZip([{ name: 'x.npy', data: xNpy, ...changes }]);

for (const name of Object.keys(numpyExpected).filter((file) => file.endsWith('.npz'))) {
  test(`numpy's ${name} is read`, async () => {
    const archive = await openNpz(numpyFixture(name), name);
    const arrays = archive.names.map((key) => {
      const array = archive.read(key);
      return [key, { dtype: array.dtype, shape: array.shape, values: numpyValues(array) }];
    });
    assert.deepEqual(Object.fromEntries(arrays), numpyExpected[name]);
  });
}

test('the same arrays make the same bytes, at any time', async (t) => {
  const now = await encodeNpz([x, y]);
  t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(2031, 4, 5) });
  assert.deepEqual(await encodeNpz([x, y]), now);
});

test('numpy reads what we write', async (t) => {
  const python = await findNumpy();
  if (python === undefined) return t.skip('no python3 with numpy');
  const file = join(await temporaryDirectory(t), 'a.npz');
  const f4 = { name: 'f4', shape: [1, 2, 1], values: Float32Array.of(0.5, -1e30) };
  const f8 = { name: 'f8', shape: [2], values: Float64Array.of(1e300, 5e-324) };
  const i8 = { name: 'i8', shape: [2], values: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) };
  const none = { name: 'none', shape: [0, 28, 28], values: new Uint8Array(0) };
  await writeFile(file, await encodeNpz([x, y, f4, f8, i8, none]));
  const script = `import sys, json, zipfile, numpy
assert zipfile.ZipFile(sys.argv[1]).testzip() is None
print(json.dumps({k: [str(a.dtype), a.shape, a.tolist()] for k, a in numpy.load(sys.argv[1]).items()}))`;
  assert.deepEqual(JSON.parse(await runPython(python, script, [file])), {
    x: [
      'uint8',
      [2, 3],
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ],
    y: ['int32', [2], [0, 7]],
    f4: ['float32', [1, 2, 1], [[[0.5], [Math.fround(-1e30)]]]],
    f8: ['float64', [2], [1e300, 5e-324]],
    // JSON.parse rounds both.
    i8: ['int64', [2], [-(2 ** 63), 2 ** 63]],
    none: ['uint8', [0, 28, 28], []],
  });
});

test('an archive that is none is refused by what it is', async () => {
  const whole = Buffer.from(await encodeNpz([x, y]));
  assert.match(await refusal(new Uint8Array(0)), /expected an npz .*, found an empty file\.$/);
  assert.match(await refusal(Buffer.from('<html>not found</html>')), /found something that is not a zip\.$/);
  assert.match(
    await refusal(xNpy),
    /found a single npy array\. To mend it: .*np\.savez_compressed\(.* a\.npz labels\.npy a-mended\.npz$/,
  );
  for (const length of [4, 60, whole.length - 30, whole.length - 1]) {
    assert.match(await refusal(whole.subarray(0, length)), /found a damaged or truncated zip\.$/);
  }
  assert.match(await refusal(zipOfX({ flags: 1 })), /found an encrypted zip\.$/);
  assert.match(await refusal(zipOfX({ method: 14 })), /found a zip with a compression other than deflate\.$/);
});

test('names that numpy does not write are passed over, and a name that is there twice is refused', async () => {
  const odd = ['../x.npy', '/x.npy', './x', 'd/', 'd/x.npy', 'x.txt', '__MACOSX/._x.npy', '__proto__.npy'];
  const { names } = await openNpz(buildZip(odd.map((name) => ({ name, data: xNpy }))), 'a.npz');
  assert.ok(!names.includes('x'), names.join());
  assert.match(
    await refusal(buildZip([{ name: '../x.npy', data: xNpy }])),
    /expected an array x, found no arrays/,
  );
  const other = encodeNpy(Uint8Array.of(9), [1]);
  for (const name of ['x.npy', '../x.npy']) {
    const twice = buildZip([
      { name: 'x.npy', data: xNpy },
      { name, data: other },
    ]);
    assert.match(
      await refusal(twice),
      /as many names as entries in the archive \(2\), found 1 different ones/,
    );
  }
});

test('a wrong checksum, a wrong size and damaged compression are found', async () => {
  for (const method of [0, 8]) {
    assert.match(
      await refusal(zipOfX({ method, claimedCrc: 1 })),
      /array x to match its checksum, found damaged data/,
    );
    assert.match(
      await refusal(zipOfX({ method, claimedBytes: xNpy.length + 1 })),
      /array x to take 71 bytes as its archive says, found 70/,
    );
  }
  assert.match(await refusal(zipOfX({ claimedBytes: 20 })), /array x to take 20 bytes .* found more/);
  assert.match(
    await refusal(zipOfX({ claimedBytes: 0 })),
    /array x to start with the npy magic .* no bytes at all/,
  );
  const damaged = zipOfX();
  damaged.fill(0xff, 35, 60);
  assert.match(await refusal(damaged), /array x to be compressed data, found damaged data/);
});

test('a bomb is refused before it is inflated', async () => {
  const zeros = buildZip([{ name: 'x.npy', data: encodeNpy(new Uint8Array(70e6), [70e6]) }]);
  assert.ok(zeros.length < 100e3);
  const before = process.memoryUsage().arrayBuffers;
  assert.match(
    await refusal(zeros),
    /expected arrays of at most 64 MB or 100 times the archive \(numpy\.savez stores more\), found array x that would inflate to 71 MB\.$/,
  );
  assert.ok(process.memoryUsage().arrayBuffers - before < 5e6);
});

test('the budget is one for all arrays of an archive', async () => {
  const half = encodeNpy(new Uint8Array(40e6), [40e6]);
  const archive = await openNpz(
    buildZip([
      { name: 'x.npy', data: half },
      { name: 'y.npy', data: half },
    ]),
    'a.npz',
  );
  assert.equal(archive.read('x').values.length, 40e6);
  assert.throws(() => archive.read('y'), /found array y that would inflate to 41 MB/);
});

test('the budget leaves room for real archives', () => {
  assert.equal(inflateBudget(100), 64e6);
  assert.ok(inflateBudget(11.7e6) > 1e9);
  assert.ok(inflateBudget(2e9) < 2 ** 31);
});

test('a damaged archive gives the same arrays or one sentence, and never fails in another way', async () => {
  const archives = [await encodeNpz([x]), zipOfX(), numpyFixture('stored.npz')];
  const damage = fc.array(fc.tuple(fc.nat(800), fc.nat(255)), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...archives), damage, async (archive, changes) => {
      const bytes = new Uint8Array(archive);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      try {
        const found = (await openNpz(bytes, 'a.npz')).read('x');
        assert.deepEqual(found, (await openNpz(archive, 'a.npz')).read('x'));
      } catch (error) {
        assert.ok(error instanceof DataError, String(error));
      }
    }),
    { numRuns: 1500 },
  );
});
