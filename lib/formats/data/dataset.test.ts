/** Tests of datasets and shards: what is accepted, and the sentence for each thing that is not. */

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { partsOf } from '../../../test/datasets.js';
import { findNumpy, runPython } from '../../../test/numpy.js';
import { sharedDirectory, temporaryDirectory } from '../../../test/temporary-directory.js';
import { DataError, StorageError } from '../../core/errors.js';
import type { Examples, TargetKinds } from '../../federation/examples.js';
import { labelledImages, onlyTargets } from '../../federation/examples.js';
import { sha256 } from '../files/read-file.js';
import { parseDataset, readDataset, readShard } from './dataset.js';
import { encodeNpz, type NamedArray } from './npz.js';
import { writeShard } from './shard-file.js';

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../../lib/formats/fixtures/npy/${name}`, import.meta.url));

const x = (shape = [2, 2, 2], values: NamedArray['values'] = new Uint8Array(8)) => ({
  name: 'x',
  shape,
  values,
});
const y = (shape = [2], values: NamedArray['values'] = Int32Array.of(0, 1)) => ({ name: 'y', shape, values });
const renamed = (array: NamedArray, name: string) => ({ ...array, name });
const four = [
  renamed(x(), 'x_train'),
  renamed(y(), 'y_train'),
  renamed(x(), 'x_test'),
  renamed(y(), 'y_test'),
];

test('a dataset of numpy with its own test examples is read', async () => {
  const { train, test: held } = await readDataset(fixture('dataset.npz'));
  assert.deepEqual(
    [partsOf(train).shape, partsOf(held as Examples).shape],
    [
      [5, 4, 3],
      [2, 4, 3],
    ],
  );
  assert.deepEqual(partsOf(train).labels, Int32Array.of(0, 2, 1, 2, 0));
  assert.deepEqual(partsOf(held as Examples).labels, Int32Array.of(0, 2));
  assert.deepEqual(partsOf(held as Examples).images, partsOf(train).images.subarray(0, 24));
});

test('float images with channels, small labels and labels in a column are read', async () => {
  const stored = await readDataset(fixture('stored.npz'));
  assert.deepEqual(partsOf(stored.train).shape, [5, 4, 3, 1]);
  assert.ok(partsOf(stored.train).images instanceof Float32Array && stored.test === undefined);
  const column = await readShard(fixture('column-labels.npz'));
  assert.ok(partsOf(column).images instanceof Float64Array);
  assert.deepEqual(partsOf(column).labels, partsOf(stored.train).labels);
});

test('labels of 64 bits are read, and all four arrays come before x, y', async () => {
  const two = [x(), y([2], BigInt64Array.of(3n, 0n))];
  const alone = await parseDataset(await encodeNpz([...two, ...four.slice(0, 3)]), 'a.npz');
  assert.deepEqual([partsOf(alone.train).labels, alone.test], [Int32Array.of(3, 0), undefined]);
  const { train, test: held } = await parseDataset(await encodeNpz([...two, ...four]), 'a.npz');
  assert.deepEqual(
    [partsOf(train).labels, partsOf(held as Examples).labels],
    [Int32Array.of(0, 1), Int32Array.of(0, 1)],
  );
});

const faults: readonly (readonly [string, readonly NamedArray[], RegExp])[] = [
  ['no arrays', [], /expected arrays x_train, y_train, x_test and y_test, or x and y, found no arrays\.$/],
  ['other names', [renamed(x(), 'images'), y()], /or x and y, found arrays "images", "y"\. To mend it: /],
  ['a part of four', four.slice(0, 3), /found arrays "x_train", "y_train", "x_test"\. To mend it: /],
  [
    'int32 images beyond 255',
    [x([2, 2, 2], Int32Array.of(0, 1, 2, 3, 4, 5, 6, 256)), y()],
    /expected x to be uint8, or floats from 0 to 1, found int32 from 0 to 256\. To mend it: python3 /,
  ],
  ['images of no size', [x([2, 0, 28], new Uint8Array(0)), y()], /found the shape \[2,0,28\]\.$/],
  [
    'no examples',
    [x([0, 28, 28], new Uint8Array(0)), y([0], new Int32Array(0))],
    /at least one example in x, found none\.$/,
  ],
  [
    'too few labels',
    [x(), y([1], new Int32Array(1))],
    /expected 2 labels in y, one for each image of x, found 1\.$/,
  ],
  [
    'a label below 0',
    [x(), y([2], Int32Array.of(0, -1))],
    /labels from 0 to 65535 in y, found -1 in example 1\. To mend it: /,
  ],
  [
    'a label beyond reason',
    [x(), y([2], BigInt64Array.of(2n ** 62n, 0n))],
    /found 4611686018427388000 in example 0\. To mend it: /,
  ],
  [
    'NaN',
    [x([2, 2, 2], new Float32Array(8).fill(NaN, 5, 6)), y()],
    /finite numbers in x, found NaN in example 1\. To mend it: /,
  ],
  [
    'infinity',
    [x([2, 2, 2], new Float64Array(8).fill(-Infinity, 0, 1)), y()],
    /found -Infinity in example 0\. To mend it: /,
  ],
  [
    'other images to test on',
    [...four.slice(0, 2), renamed(x([2, 4, 1]), 'x_test'), renamed(y(), 'y_test')],
    /expected x_test to have uint8 images \[2,2\] like x_train, found uint8 images \[4,1\]\. To mend it: /,
  ],
  [
    'another dtype to test on',
    [...four.slice(0, 2), renamed(x([2, 2, 2], new Float32Array(8)), 'x_test'), renamed(y(), 'y_test')],
    /found float32 images \[2,2\]\. To mend it: /,
  ],
];

for (const [name, arrays, message] of faults) {
  test(`a dataset with ${name} is refused`, async () => {
    const bytes = await encodeNpz(arrays);
    await assert.rejects(parseDataset(bytes, 'data/a.npz'), (error: Error) => {
      assert.ok(error instanceof DataError);
      assert.match(error.message, message);
      return error.message.startsWith('data/a.npz: expected ');
    });
  });
}

const told = async (arrays: readonly NamedArray[]) => {
  const notes: string[] = [];
  const { train } = await parseDataset(await encodeNpz(arrays), 'a.npz', {
    tell: (note) => notes.push(note),
  });
  return { ...train, notes };
};

test('bool and float16 images, float and one-hot labels of numpy are taken, and it is told as what', async () => {
  const { train } = await readDataset(fixture('dataset.npz'));
  const notes: string[] = [];
  const tell = (note: string) => notes.push(note);
  const bool = await readShard(fixture('bool.npz'), { tell });
  assert.deepEqual(
    partsOf(bool).images,
    (partsOf(train).images as Uint8Array).map((value) => (value > 127 ? 255 : 0)),
  );
  const half = await readShard(fixture('half.npz'), { tell });
  assert.ok(partsOf(half).images instanceof Float32Array);
  assert.ok(
    Math.abs((partsOf(half).images[0] as number) - (partsOf(train).images[0] as number) / 255) < 2 ** -11,
  );
  assert.deepEqual(
    [partsOf(bool).labels, partsOf(half).labels],
    [partsOf(train).labels, partsOf(train).labels],
  );
  assert.deepEqual(notes, [
    'x is bool, taken as uint8: 0 and 255',
    'y is one-hot [5,3], taken as labels from 0 to 2',
    'x is float16, taken as float32',
    'y is float32, taken as whole-number labels',
  ]);
});

test('whole floats and one-hot rows are taken as labels, whole numbers from 0 to 255 as uint8', async () => {
  const whole = await told([
    x([2, 2, 2], Int32Array.of(0, 1, 2, 3, 4, 5, 6, 255)),
    y([2], Float64Array.of(7, 0)),
  ]);
  assert.deepEqual(partsOf(whole).images, Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 255));
  assert.deepEqual(partsOf(whole).labels, Int32Array.of(7, 0));
  assert.deepEqual(whole.notes, [
    'x is int32 from 0 to 255, taken as uint8',
    'y is float64, taken as whole-number labels',
  ]);
  const hot = await told([x(), y([2, 3], Float32Array.of(0, 0, 1, 1, 0, 0))]);
  assert.deepEqual(partsOf(hot).labels, Int32Array.of(2, 0));
  assert.deepEqual(hot.notes, ['y is one-hot [2,3], taken as labels from 0 to 2']);
});

test('images with their channels first are refused, small ones that may be anything are not', async () => {
  for (const shape of [
    [2, 3, 32, 32],
    [2, 1, 28, 28],
    [2, 4, 8, 9],
  ]) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    await assert.rejects(
      parseDataset(await encodeNpz([x(shape, new Uint8Array(size)), y()]), 'a.npz'),
      /found the shape \[2,.*\], channels first\. To mend it: python3 -c '.*v\.transpose\(0, 2, 3, 1\)/,
    );
  }
  for (const shape of [
    [2, 3, 32, 3],
    [2, 3, 4, 5],
    [2, 32, 32, 8],
    [2, 1, 28],
  ]) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const { train } = await parseDataset(await encodeNpz([x(shape, new Uint8Array(size)), y()]), 'a.npz');
    assert.deepEqual(partsOf(train).shape, shape);
  }
});

test('a whole dataset stands in for a shard where a part is named', async () => {
  const bytes = await encodeNpz([
    ...four.slice(0, 2),
    renamed(x([1, 2, 2], Uint8Array.of(1, 2, 3, 4)), 'x_test'),
    renamed(y([1], Int32Array.of(1)), 'y_test'),
  ]);
  const notes: string[] = [];
  const tell = (note: string) => notes.push(note);
  const path = join(sharedDirectory(), 'whole.npz');
  await writeFile(path, bytes);
  assert.equal(partsOf(await readShard(path, { part: 'train', tell })).labels.length, 2);
  assert.deepEqual(partsOf(await readShard(path, { part: 'test', tell })).images, Uint8Array.of(1, 2, 3, 4));
  assert.deepEqual(notes, [
    `${path} is a whole dataset: its training part (x_train, y_train) is taken`,
    `${path} is a whole dataset: its test part (x_test, y_test) is taken`,
  ]);
  await assert.rejects(readShard(path), /expected arrays x and y, found arrays "x_train"/);
});

const shards: Readonly<Record<string, Examples>> = {
  uint8: labelledImages([3, 2, 1], Uint8Array.of(0, 1, 2, 3, 254, 255), Int32Array.of(9, 0, 300)),
  float32: labelledImages([1, 1, 2, 1], Float32Array.of(0.1, -1), Int32Array.of(0)),
  float64: labelledImages([1, 1, 2], Float64Array.of(0.1, 1e-300), Int32Array.of(1)),
};

for (const [dtype, examples] of Object.entries(shards)) {
  test(`a shard of ${dtype} images is written and read back, and numpy reads it`, async (t) => {
    const path = join(await temporaryDirectory(t), 'new', 'directory', '0.npz');
    const written = await writeShard(path, examples);
    assert.deepEqual(await readShard(path), examples);
    const bytes = await readFile(path);
    assert.deepEqual(written, { sizeBytes: bytes.length, sha256: sha256(bytes) });
    const python = await findNumpy();
    if (python === undefined) return t.diagnostic('numpy did not judge: no python3 with numpy');
    const script = `import sys, json, numpy
z = numpy.load(sys.argv[1]); x, y = z['x'], z['y']
print(json.dumps([z.files, str(x.dtype), x.shape, x.ravel().tolist(), str(y.dtype), y.tolist()]))`;
    const { shape, images, labels } = partsOf(examples);
    const wanted = [['x', 'y'], dtype, shape, [...images], 'int32', [...labels]];
    assert.deepEqual(JSON.parse(await runPython(python, script, [path])), wanted);
  });
}

test('a missing file, a directory and a shard without x are refused', async (t) => {
  const directory = await temporaryDirectory(t);
  const path = join(directory, 'a.npz');
  await assert.rejects(readDataset(path), /a\.npz: expected a dataset \(npz\), found no such file\.$/);
  await assert.rejects(readShard(directory), /expected a shard \(npz\), found a directory\.$/);
  await writeFile(path, await encodeNpz(four));
  await assert.rejects(readShard(path), /expected arrays x and y, found arrays "x_train", /);
});

test('a shard that cannot be written leaves nothing behind', async (t) => {
  const directory = await temporaryDirectory(t);
  const taken = join(directory, 'taken');
  await writeFile(taken, '');
  const { uint8 } = shards as { uint8: Examples };
  await assert.rejects(writeShard(join(taken, '0.npz'), uint8), (error: Error) => {
    assert.ok(error instanceof StorageError);
    return /could not be written: a part of the path is a file, not a directory/.test(error.message);
  });
  await assert.rejects(writeShard(directory, uint8), StorageError);
  assert.deepEqual(await readdir(directory), ['taken']);
});

test('inputs of any rank, numbers, rows of what holds and several inputs are taken for what they are', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.npz');
  const read = async (arrays: readonly NamedArray[], targets?: TargetKinds) => {
    await writeFile(path, await encodeNpz(arrays));
    return readShard(path, { targets });
  };
  const y = (values: NamedArray['values'], shape: readonly number[] = [values.length]) => ({
    name: 'y',
    shape,
    values,
  });
  const tokens = { name: 'x', shape: [2, 3], values: BigInt64Array.of(7n, 0n, 2n, 70_000n, 1n, 1n) };
  const numbers = await read([tokens, y(Float64Array.of(1.5, -2))]);
  assert.deepEqual(numbers.inputs, [
    { name: 'x', shape: [2, 3], values: Int32Array.of(7, 0, 2, 70_000, 1, 1) },
  ]);
  assert.deepEqual(numbers.targets, onlyTargets({ shape: [2, 1], values: Float32Array.of(1.5, -2) }));
  const holds = await read([tokens, y(Uint8Array.of(1, 1, 0, 0), [2, 2])]);
  assert.deepEqual(holds.targets, onlyTargets({ shape: [2, 2], values: Uint8Array.of(1, 1, 0, 0) }));
  // The same numbers, where somebody knows what they are.
  const whole = y(Int32Array.of(3, -4));
  assert.deepEqual((await read([tokens, whole], 'numbers')).targets[0].values, Float32Array.of(3, -4));
  await assert.rejects(read([tokens, whole]), /expected labels from 0 to 65535 in y, found -4 in example 1/);
  await assert.rejects(
    read([tokens, y(Float32Array.of(1, Number.NaN))], 'numbers'),
    /expected y to hold a finite number for each example, found NaN in example 1\. To mend it: /,
  );
  await assert.rejects(
    read([tokens, y(Float64Array.of(1, -1e39))], 'numbers'),
    /expected y to hold numbers that a 32-bit float holds, found -1e\+39 in example 1\.$/,
  );
  await assert.rejects(
    read([tokens, y(Uint8Array.of(1, 2))], 'multi-hot'),
    /expected y to hold rows of 0 and 1, which say what holds, found 2 in example 1/,
  );
  const two = [
    { name: 'x/left', shape: [2, 1], values: Float32Array.of(1, 2) },
    { name: 'x/right', shape: [2, 2, 2], values: new Float32Array(8) },
    y(Int32Array.of(0, 1)),
    { name: 'w', shape: [2], values: Float32Array.of(1, 0.5) },
  ];
  const several = await read(two);
  assert.deepEqual(
    several.inputs.map(({ name }) => name),
    ['left', 'right'],
  );
  assert.deepEqual(several.weights, Float32Array.of(1, 0.5));
  await writeShard(path, several);
  assert.deepEqual(await readShard(path), several);
  await assert.rejects(
    read([...two.slice(0, 3), { name: 'w', shape: [2], values: Float32Array.of(1, -1) }]),
    /expected weights of at least 0 in w, found -1 in example 1/,
  );
});

test('targets of several outputs and of steps are taken, written and read back for what they are', async (t) => {
  const path = join(await temporaryDirectory(t), 'a.npz');
  const x = { name: 'x', shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) };
  const read = async (...arrays: readonly NamedArray[]) => {
    await writeFile(path, await encodeNpz([x, ...arrays]));
    return readShard(path);
  };
  const both = [
    { name: 'y/price', shape: [2, 2], values: Float32Array.of(0.5, 1, 2, 3) },
    { name: 'y/kind', shape: [2], values: Int32Array.of(3, 1) },
  ];
  const several = await read(...both);
  assert.deepEqual(
    several.targets,
    both.map(({ name, ...array }) => ({ ...array, name: name.slice(2) })),
  );
  await assert.rejects(
    read(...both.slice(0, 1), { name: 'y/kind', shape: [3], values: Int32Array.of(3, 1, 0) }),
    /expected 2 targets in y\/kind, as in y\/price, found 3/,
  );
  const steps = Int32Array.of(4, 0, 2, 1, 1, 3);
  const chance = Int32Array.of(0, 1, 0, 1, 0, 0);
  for (const [array, shape, values] of [
    [{ shape: [2, 3], values: steps }, [2, 3], steps],
    // By chance each row has a single 1: the last axis says that they are no classes.
    [{ shape: [2, 3, 1], values: chance }, [2, 3], chance],
    [
      { shape: [2, 2, 3], values: Int32Array.of(0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0) },
      [2, 2],
      Int32Array.of(1, 2, 0, 1),
    ],
    [{ shape: [2, 3, 1], values: Float32Array.from(steps, (each) => each / 2) }, [2, 3, 1], undefined],
  ] as const) {
    const found = await read({ name: 'y', ...array });
    const [{ shape: own, values: labels }] = found.targets;
    assert.deepEqual(own, shape);
    if (values !== undefined) assert.deepEqual(labels, values);
    await writeShard(path, found);
    assert.deepEqual(await readShard(path), found);
  }
});
