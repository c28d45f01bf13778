/** Tests of folders of pictures: classes by folder, sizes, colours, EXIF, a test of its own; what is refused, by the file. */
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { loadWhole, partsOf } from '../../../../test/datasets.js';
import { partitionSettings } from '../../../../test/settings.js';
import { temporaryDirectory } from '../../../../test/temporary-directory.js';
import { openSource } from '../../data/dataset-source.js';
import { descriptionText } from '../description.js';
import { findData } from '../registry.js';

const IID = partitionSettings('iid');

/** Grey pixels, row by row. */
const grey = (width: number, height: number, values: Iterable<number>): Sharp =>
  sharp(Buffer.from([...values]), { raw: { width, height, channels: 1 } }).toColourspace('b-w');
const even = (value: number): Sharp => grey(8, 10, new Uint8Array(80).fill(value));

/** Writes pictures by their paths, as PNG unless they bring bytes; the directory. */
async function write(directory: string, files: Readonly<Record<string, Sharp | Buffer>>): Promise<string> {
  for (const [path, picture] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(
      join(directory, path),
      Buffer.isBuffer(picture) ? picture : await picture.png().toBuffer(),
    );
  }
  return directory;
}

const load = async (data: string) => loadWhole(await openSource(data, IID));

test('folders are classes, in the order of their names; grey pictures have one channel, and other files are passed over', async (t) => {
  const directory = await write(await temporaryDirectory(t), {
    'dog/2.png': even(30),
    'dog/1.png': even(20),
    'cat/1.png': even(10),
    'cat/notes.txt': Buffer.from('none'),
    '.cache/1.png': even(9),
  });
  const { train, test: held, facts } = await load(directory);
  assert.deepEqual(partsOf(train).shape, [3, 10, 8]);
  assert.deepEqual(
    [0, 80, 160].map((at) => partsOf(train).images[at]),
    [10, 20, 30],
  );
  assert.deepEqual([...partsOf(train).labels], [0, 1, 1]);
  assert.deepEqual(facts?.classNames, ['cat', 'dog']);
  assert.equal(held, undefined);
});

test('a link is the folder that it leads to, and what is left out of a class is told', async (t) => {
  const directory = await write(await temporaryDirectory(t), {
    'data/cat/1.png': even(10),
    'data/cat/2.bmp': Buffer.from('none'),
    'data/eel/1.tif': Buffer.from('none'),
    'elsewhere/dog/1.png': even(20),
    'elsewhere/dog/more/2.png': even(30),
  });
  await mkdir(join(directory, 'data/fox'));
  await symlink('../elsewhere/dog', join(directory, 'data/dog'));
  const data = join(directory, 'data');
  const { train, facts } = await load(data);
  assert.deepEqual(facts?.classNames, ['cat', 'dog']);
  assert.deepEqual([...partsOf(train).labels], [0, 1]);
  const left =
    '4 files or folders are no pictures in PNG, JPEG, WebP, GIF or AVIF: left out (cat/2.bmp, dog/more, eel/1.tif, …)';
  const survey = await (await findData(data))?.survey?.({}, {});
  assert.deepEqual(survey?.understanding.notes, [left]);
  await writeFile(
    join(directory, 'data.yaml'),
    'kind: pictures\nsource: data\nsize: [10, 8]\nchannels: 1\nclasses: [cat, dog]\n',
  );
  for (const source of [data, join(directory, 'data.yaml')]) {
    const told: string[] = [];
    await loadWhole(await openSource(source, IID, { tell: (note) => told.push(note) }));
    assert.deepEqual(told, [left]);
  }
});

test('pictures stand upright, in colour where one is, on white where they are transparent', async (t) => {
  const side = 8;
  const pixels = Uint8Array.from({ length: side * side }, (_, at) => at * 4);
  const turned = await grey(side, side, pixels)
    .jpeg({ quality: 100 })
    .withMetadata({ orientation: 6 })
    .toBuffer();
  const clear = {
    width: side,
    height: side,
    channels: 4,
    background: { r: 9, g: 9, b: 9, alpha: 0 },
  } as const;
  const red = { width: side, height: side, channels: 3, background: '#ff0000' } as const;
  const directory = await write(await temporaryDirectory(t), {
    'a/1.jpg': turned,
    'a/2.png': sharp({ create: clear }),
    'b/1.png': sharp({ create: red }),
  });
  const { train } = await load(directory);
  const { shape, images } = partsOf(train);
  assert.deepEqual(shape, [3, side, side, 3]);
  // Orientation 6 is shown a quarter turn clockwise: the first column, from its end, becomes the first row.
  const row = Array.from({ length: side }, (_, at) => images[at * 3] as number);
  for (const [at, value] of row.entries()) {
    const expected = pixels[(side - 1 - at) * side] as number;
    assert.ok(Math.abs(value - expected) <= 4, `${value} at ${at}, expected ${expected}`);
  }
  const at = (picture: number) => [
    ...images.subarray(picture * side * side * 3, picture * side * side * 3 + 3),
  ];
  assert.deepEqual(
    [at(1), at(2)],
    [
      [255, 255, 255],
      [255, 0, 0],
    ],
  );
});

test('folders for training and test are these', async (t) => {
  const directory = await write(await temporaryDirectory(t), {
    'train/cat/1.png': even(10),
    'train/dog/1.png': even(20),
    'test/dog/9.png': even(30),
    'val/cat/9.png': even(40),
  });
  const { train, test: held } = await load(directory);
  assert.deepEqual([...partsOf(train).labels], [0, 1]);
  assert.ok(held !== undefined);
  assert.deepEqual([[...partsOf(held).labels], partsOf(held).images[0]], [[1], 30]);
  await write(directory, { 'test/eel/1.png': even(1) });
  await assert.rejects(load(directory), /expected classes for the test that training has, too, found eel/);
});

test('pictures of several sizes are refused by the file, and brought to one by a description', async (t) => {
  const directory = await write(join(await temporaryDirectory(t), 'animals'), {
    'cat/1.png': even(10),
    'dog/1.png': grey(16, 20, new Uint8Array(320).fill(200)),
    'eel/1.png': even(50),
  });
  await assert.rejects(
    load(directory),
    /dog\/1\.png: expected 8 × 10 pixels like cat\/1\.png, or a description .*, found 16 × 20\. To mend it: npx fedbatch dataset import \S+animals --yaml data\.yaml$/,
  );
  const survey = (await (await findData(directory))?.survey?.({}, {}))?.understanding;
  assert.deepEqual([survey?.examples, survey?.problems.length], [3, 1]);
  assert.deepEqual(survey?.description, {
    kind: 'pictures',
    source: directory,
    size: [10, 8],
    channels: 1,
    classes: ['cat', 'dog', 'eel'],
  });
  const described = async (change: object) => {
    const file = join(dirname(directory), 'data.yaml');
    await writeFile(
      file,
      await descriptionText({ ...survey?.description, source: 'animals', ...change } as never),
    );
    return load(file);
  };
  const { train } = await described({});
  assert.deepEqual(
    [partsOf(train).shape, [...partsOf(train).labels]],
    [
      [3, 10, 8],
      [0, 1, 2],
    ],
  );
  assert.deepEqual([...(partsOf(train).images.subarray(80, 160) as Uint8Array)], new Array(80).fill(200));
  // Some of the folders, in an order of their own, in colour.
  const some = await described({ classes: ['eel', 'cat'], channels: 3, size: [4, 4] });
  assert.deepEqual(
    [partsOf(some.train).shape, [...partsOf(some.train).labels]],
    [
      [2, 4, 4, 3],
      [1, 0],
    ],
  );
  assert.deepEqual(some.facts?.classNames, ['eel', 'cat']);
  await assert.rejects(
    described({ classes: ['cat', 'ox'] }),
    /animals: expected pictures in a folder ox, found folders cat, dog, eel/,
  );
});

test('what is no whole picture is refused by its file, and other hands deal other data', async (t) => {
  const directory = await write(await temporaryDirectory(t), {
    'cat/1.png': even(10),
    'dog/1.png': even(20),
  });
  const before = await (await openSource(directory, IID)).sha256();
  const whole = await grey(
    8,
    10,
    Uint8Array.from({ length: 80 }, (_, at) => (at * 89) & 255),
  )
    .png()
    .toBuffer();
  for (const bytes of [
    Buffer.from('none'),
    whole.subarray(0, -30),
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
  ]) {
    await write(directory, { 'dog/2.png': bytes });
    await assert.rejects(
      load(directory),
      /^DataError: .*dog\/2\.png: expected a PNG, JPEG, WebP, GIF or AVIF picture, found a damaged/,
    );
  }
  await write(directory, { 'dog/2.png': even(20) });
  const more = await (await openSource(directory, IID)).sha256();
  assert.notEqual(more, before);
  await assert.rejects(
    async () => loadWhole(await openSource(directory, partitionSettings('by-key', { key: 'writer' }))),
    /expected an array writer, found arrays "x", "y"/,
  );
});
