/** Every line that a refusal of data ends with is run, in a shell with numpy, and mends the data. */

import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { execa, execaSync } from 'execa';
import sharp from 'sharp';
import { importData } from '../../../datasets/import.js';
import { partsOf } from '../../../test/datasets.js';
import { findNumpy, runPython } from '../../../test/numpy.js';
import { temporaryDirectory } from '../../../test/temporary-directory.js';
import { DataError } from '../../core/errors.js';
import type { Dataset } from '../../federation/examples.js';
import { silentReporter } from '../../observability/events.js';
import { parseDataset } from './dataset.js';
import { foreignDirectory } from './foreign-data.js';
import { changeLine, numberClassesLine } from './mending-lines.js';
import { openNpz, rowsInMemory } from './npz.js';
import { readOwnership } from './ownership.js';

/** Python that makes a file `f` of each kind; `x` and `y` are what it has to come to. */
const MAKE = `
import sys, gzip, pickle, numpy as np
r = np.random.default_rng(1)
x = r.integers(0, 256, (6, 8, 8), dtype="uint8"); y = np.array([2, 0, 1, 2, 0, 1])
names = np.array(["cat", "dog's", "eel"])
unit = (x / 255).astype("float32")
rgb = r.integers(0, 256, (6, 8, 8, 3), dtype="uint8")
def save(f, **d): np.savez(sys.argv[1] + "/" + f, **d)
four = lambda x, y: dict(x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])
save("first.npz", **four(rgb.transpose(0, 3, 1, 2), y))
save("first-grey.npz", x=x[:, None], y=y)
save("signed.npz", x=x.astype("int16") - 128, y=y)
save("wide.npz", x=x.astype("uint16") * 257, y=y)
save("nan.npz", x=np.where(x == x.max(), np.nan, unit), y=y)
save("text.npz", **four(x, names[y]))
save("bytes.npz", x=x, y=names[y].astype("S"))
save("negative.npz", x=x, y=y * 2 - 3)
save("large.npz", x=x, y=y * 100000)
save("unlabelled.npz", x=x, y=np.where(y == 1, np.nan, y))
save("row.npz", x=x, y=y[None])
save("object.npz", x=np.array(list(x) + [None], object)[:6], y=np.array([str(n) for n in names[y]], object))
save("complex.npz", x=x.astype("complex64") / 255, y=y)
save("digits.npz", x=x.astype("U3"), y=y)
save("fields.npz", x=np.rec.fromarrays([rgb[..., 0], rgb[..., 1], rgb[..., 2]]), y=y)
save("named.npz", images=x, labels=y)
save("keras.npz", train_images=x[:4], train_labels=y[:4], test_images=x[4:], test_labels=y[4:])
save("validation.npz", x_tr=x[:4], y_tr=y[:4], val_images=x[:1], val_labels=y[:1], test_images=x[4:], test_labels=y[4:])
save("unnamed.npz", arr_0=x, arr_1=y)
save("no-test-labels.npz", x_train=x, y_train=y, x_test=x)
save("writers.npz", x=x, y=y, writer=names[y])
save("dtypes.npz", x_train=x[:4], y_train=y[:4], x_test=unit[4:], y_test=y[4:])
save("ranks.npz", x_train=x[:4], y_train=y[:4], x_test=x[4:, :, :, None], y_test=y[4:])
d = sys.argv[1] + "/"
table = np.column_stack([y, x.reshape(6, 64)])
np.savetxt(d + "mnist.csv", table, "%d", ",")
np.savetxt(d + "semicolons.csv", table, "%d", ";")
np.savetxt(d + "tabs.tsv", table, "%d", "\\t")
pickle.dump((x, y), open(d + "pair.pkl", "wb"))
np.savetxt(d + "kaggle.csv", table, "%d", ",", header=",".join(["label"] + ["pixel%d" % i for i in range(64)]), comments="")
np.savetxt(d + "iris.csv", np.column_stack([unit.reshape(6, 64)[:, :5].astype(str), names[y]]), "%s", ",")
np.savetxt(d + "prices.csv", np.column_stack([unit.reshape(6, 64)[:, :5], y + 0.25]), "%.4f", ",", header="a,b,c,d,e,price", comments="")
np.save(d + "x.npy", x); np.save(d + "labels.npy", y)
idx = lambda a: bytes([0, 0, 8, a.ndim]) + b"".join(int(n).to_bytes(4, "big") for n in a.shape) + a.astype("uint8").tobytes()
open(d + "train-images-idx3-ubyte", "wb").write(idx(x)); open(d + "train-labels-idx1-ubyte", "wb").write(idx(y))
gzip.open(d + "again-images-idx3-ubyte.gz", "wb").write(idx(x)); open(d + "again-labels-idx1-ubyte", "wb").write(idx(y))
print(x.ravel().tolist(), y.tolist(), rgb.ravel().tolist(), sep="\\n")`;

/** Python that does with lines of a shell what the shell does. */
const TYPE = `
import sys, json, shlex, subprocess
for line in json.load(sys.stdin):
    words = shlex.split(line)
    if words[0] != "python3": subprocess.run(line, shell=True, check=True); continue
    assert words[1] == "-c", line
    sys.argv = ["-c", *words[3:]]
    exec(words[2], {})`;

/** Mended images, as 0 … 255; the labels, and the shape of an image. */
interface Right {
  readonly images?: 'grey' | 'colour';
  readonly shape?: readonly number[];
  readonly labels?: readonly number[];
  /** How many lines are typed, one after the other. */
  readonly lines?: number;
}

const LABELS = [2, 0, 1, 2, 0, 1];
const COLOUR = { images: 'colour', shape: [8, 8, 3] } as const;
const CASES: Readonly<Record<string, Right>> = {
  'first.npz': COLOUR,
  'first-grey.npz': { shape: [8, 8, 1] },
  'signed.npz': {},
  'wide.npz': {},
  'text.npz': {},
  'bytes.npz': {},
  'negative.npz': {},
  'large.npz': {},
  'row.npz': {},
  'object.npz': { lines: 2 },
  'complex.npz': {},
  'digits.npz': {},
  'fields.npz': COLOUR,
  'named.npz': {},
  'keras.npz': {},
  'validation.npz': {},
  'unnamed.npz': {},
  'no-test-labels.npz': {},
  'dtypes.npz': {},
  'ranks.npz': {},
  'pair.pkl': {},
  'x.npy': {},
};

/** What the programs that want an npz refuse, and an import takes. */
const IMPORTED = ['mnist.csv', 'kaggle.csv', 'semicolons.csv', 'tabs.tsv', 'iris.csv', 'prices.csv'].concat([
  'train-images-idx3-ubyte',
  'again-images-idx3-ubyte.gz',
]);

test('the line that a refusal ends with mends the data', async (t) => {
  const python = await findNumpy();
  if (python === undefined) return t.skip('no python3 with numpy');
  const directory = await temporaryDirectory(t);
  const [grey, labels, colour] = (await runPython(python, MAKE, [directory]))
    .split('\n')
    .map((line) => JSON.parse(line) as number[]);
  assert.deepEqual(labels, LABELS);

  // What the refusals say is typed for all files at once: Python takes long to start.
  const files = [...Object.keys(CASES), 'nan.npz', 'unlabelled.npz'];
  const mended = new Map<string, { readonly dataset: Dataset; readonly lines: number }>();
  let waiting = files.map((file) => ({ file, path: join(directory, file) }));
  for (let lines = 0; waiting.length > 0; lines++) {
    const typed: { readonly file: string; readonly path: string; readonly line: string }[] = [];
    for (const { file, path } of waiting) {
      const answer = await parseDataset(await readFile(path), path).catch((error: unknown) => error);
      if (!(answer instanceof Error)) {
        mended.set(file, { dataset: answer as Dataset, lines });
        continue;
      }
      assert.ok(answer instanceof DataError, `${file}: ${answer.stack}`);
      const [, line] = /\. To mend it: ((?:python3|gunzip) [^\n]*)$/.exec(answer.message) ?? [];
      assert.ok(line !== undefined && lines < 3, `${file}: ${answer.message}`);
      const made = line.startsWith('gunzip') ? path.replace(/\.gz$/, '') : join(directory, lastWord(line));
      typed.push({ file, path: made, line });
    }
    await execa(python, ['-c', TYPE], {
      cwd: directory,
      input: JSON.stringify(typed.map(({ line }) => line)),
    });
    waiting = typed;
  }
  const resultOf = (file: string) =>
    mended.get(file) as { readonly dataset: Dataset; readonly lines: number };
  const trainOf = (file: string) => resultOf(file).dataset.train;
  const bytesOf = (images: Iterable<number>) => [...images].map((value) => Math.round(value));

  for (const [file, { images = 'grey', shape = [8, 8], lines = 1 }] of Object.entries(CASES)) {
    const { dataset, lines: typed } = resultOf(file);
    const parts = dataset.test === undefined ? [dataset.train] : [dataset.train, dataset.test];
    const values = parts.flatMap((part) => {
      const scale = partsOf(part).images.some((value) => value > 1) ? 1 : 255;
      return bytesOf(Float64Array.from(partsOf(part).images, (value) => value * scale));
    });
    // Numbers that are moved into 0 … 1 keep their ratios: the least and the largest of these images are 0 and 255.
    assert.deepEqual(values, images === 'grey' ? grey : colour, file);
    assert.deepEqual(
      parts.flatMap((part) => [...partsOf(part).labels]),
      LABELS,
      file,
    );
    assert.deepEqual([partsOf(dataset.train).shape.slice(1), typed], [shape, lines], file);
  }

  const keyed = { path: join(directory, 'writers.npz'), key: 'writer' };
  const keys = async () =>
    readOwnership({ ...keyed, arrays: rowsInMemory(await openNpz(await readFile(keyed.path), keyed.path)) });
  await assert.rejects(keys, (error: Error) => {
    const [, line = ''] = /text, dtype '<U5'\. To mend it: (python3 .*)$/.exec(error.message) ?? [];
    execaSync(line.replace('python3', python), { shell: '/bin/sh' });
    return true;
  });
  keyed.path = join(directory, 'writers-mended.npz');
  assert.deepEqual((await keys()).owners, Uint32Array.from(LABELS));

  // What `--data` of a run reads by itself, a line makes an npz of.
  for (const file of IMPORTED) {
    const path = join(directory, file);
    const [, npz = ''] = await parseDataset(await readFile(path), path).then(
      () => assert.fail(`${file} is no npz`),
      (error: Error) => /To mend it: npx fedbatch dataset import \S+ --out (\S+)$/.exec(error.message) ?? [],
    );
    await importData({ source: path, npz }, { reporter: silentReporter });
    mended.set(file, { dataset: await parseDataset(await readFile(npz), npz), lines: 1 });
    if (file === 'iris.csv' || file === 'prices.csv') continue;
    assert.deepEqual([...(partsOf(trainOf(file)).images as Uint8Array)], grey, file);
    assert.deepEqual(
      [partsOf(trainOf(file)).shape, [...partsOf(trainOf(file)).labels]],
      [[6, 8, 8], LABELS],
      file,
    );
  }
  const iris = trainOf('iris.csv');
  assert.deepEqual(partsOf(iris).shape, [6, 5]);
  assert.deepEqual([...partsOf(iris).labels], LABELS);
  assert.equal(await readFile(join(directory, 'iris.labels.txt'), 'utf8'), "cat\ndog's\neel");
  // The last column of a table holds numbers.
  assert.deepEqual(trainOf('prices.csv').targets[0], {
    name: 'y',
    shape: [6, 1],
    values: Float32Array.from(LABELS, (label) => label + 0.25),
  });
  const nan = partsOf(trainOf('nan.npz')).images;
  assert.equal(nan[(grey as number[]).indexOf(255)], 0);
  const unlabelled = trainOf('unlabelled.npz');
  assert.deepEqual(
    [partsOf(unlabelled).shape, [...partsOf(unlabelled).labels]],
    [
      [4, 8, 8],
      [2, 0, 2, 0],
    ],
  );
});

test('a refusal names what its line needs to be installed, as pip calls it', async (t) => {
  const directory = await temporaryDirectory(t);
  const heads = { 'a.h5': '\x89HDF', 'a.mat': 'MATLAB 5' };
  const needs = { 'a.h5': 'numpy h5py', 'a.mat': 'numpy scipy' };
  for (const [file, head] of Object.entries(heads)) {
    const refused = parseDataset(Buffer.from(head, 'latin1'), file);
    const expected = `To mend it (pip install ${needs[file as keyof typeof needs]}): python3 -c `;
    await assert.rejects(refused, (error: Error) => error.message.includes(expected));
  }
  await writeFile(join(directory, 'cat_1.png'), '');
  await writeFile(join(directory, 'dog_1.png'), '');
  const foreign = await foreignDirectory(directory);
  assert.equal(foreign?.mendNeeds, 'numpy pillow');
});

test('the line for a folder of pictures makes images and labels of them, by the first word of their names', async (t) => {
  const python = await findNumpy();
  if (python === undefined) return t.skip('no python3 with numpy');
  const directory = await temporaryDirectory(t);
  const picture = (grey: number) =>
    sharp(Buffer.alloc(64, grey), { raw: { width: 8, height: 8, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
  for (const [path, grey] of [
    ['flat/cat_1.png', 10],
    ['flat/dog_1.png', 20],
    ['flat/dog_2.png', 30],
  ] as const) {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), await picture(grey));
  }
  const hasPillow = !(await execa(python, ['-c', 'import PIL'], { reject: false })).failed;
  const { mend = '' } = (await foreignDirectory(join(directory, 'flat'))) ?? {};
  assert.match(mend, /^python3 -c '.*flat\.npz$/);
  if (!hasPillow) return;
  await execa(mend.replace('python3', python), { shell: '/bin/sh', cwd: directory });
  const file = join(directory, 'flat.npz');
  const { train } = await parseDataset(await readFile(file), file);
  assert.deepEqual(partsOf(train).shape, [3, 8, 8]);
  assert.deepEqual(
    [partsOf(train).images[0], partsOf(train).images[64], partsOf(train).images[128]],
    [10, 20, 30],
  );
  assert.deepEqual([...partsOf(train).labels], [0, 1, 1]);
});

/** The file that a line writes. */
function lastWord(line: string): string {
  const [, quoted, bare] = / (?:'((?:[^']|'\\'')*)'|(\S+))$/.exec(line) ?? [];
  const word = quoted?.replaceAll("'\\''", "'") ?? bare ?? '';
  return word.slice(word.lastIndexOf('/') + 1);
}

test('what is no npz has no line that changes its arrays', () => {
  for (const file of ['sales.csv', 'data.yaml', 'train-images-idx3-ubyte', 'photos']) {
    assert.equal(changeLine(file, 'x', 'v'), undefined);
    assert.equal(numberClassesLine(file), undefined);
  }
});
