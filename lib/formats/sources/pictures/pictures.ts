/** Pictures in a folder for each class, alone or in folders for training and test. */
import { readdir } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { DataError } from '../../../core/errors.js';
import { IN_MEMORY_BYTES } from '../../../federation/example-rows.js';
import { type NpyRows, rowsOfArray } from '../../data/npy.js';
import { describeLine, type PicturesDescription } from '../description.js';
import {
  archiveOfParts,
  type DataPlace,
  type FoundData,
  type OnReadProgress,
  problemText,
  type ReadData,
  type SourceKind,
} from '../source-kind.js';
import type { PictureForm } from './decode.js';

/** The kind; sharp is loaded when pictures are read. */
export const pictures: SourceKind = {
  async find(place) {
    const folder = await listPictures(place);
    return folder === undefined ? undefined : foundPictures(folder);
  },
};

/** A folder of pictures. */
interface PictureFolder {
  readonly path: string;
  /** Those for training, and those for the test where there are some. */
  readonly train: readonly Picture[];
  readonly test: readonly Picture[];
}

interface Picture {
  readonly file: string;
  readonly class: string;
}

const ENDINGS = new Set(['.png', '.jpg', '.jpeg', '.webp', '.gif', '.avif']);
const TRAIN = /^train(ing)?$/i;
/** Where several lie there, the first is taken. */
const TESTS = [/^test(ing)?$/i, /^val(id(ation)?)?$/i];

async function listPictures({ path, entries }: DataPlace): Promise<PictureFolder | undefined> {
  const folders = (entries ?? []).filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  const training = folders.find((name) => TRAIN.test(name));
  if (training === undefined) {
    const train = await picturesIn(path, folders);
    return train.length === 0 ? undefined : { path, train, test: [] };
  }
  const held = TESTS.flatMap((test) => folders.filter((name) => test.test(name))).at(0);
  const inFolder = async (name: string) => picturesIn(join(path, name), await foldersIn(join(path, name)));
  const train = await inFolder(training);
  if (train.length === 0) return undefined;
  return { path, train, test: held === undefined ? [] : await inFolder(held) };
}

/** Sorted, so that the same pictures are the same dataset on any disk. */
async function foldersIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
}

async function picturesIn(path: string, classes: readonly string[]): Promise<readonly Picture[]> {
  const lists = await Promise.all(
    [...classes].sort().map(async (name) => {
      const files = (await readdir(join(path, name))).filter(
        (file) => !file.startsWith('.') && ENDINGS.has(extname(file).toLowerCase()),
      );
      return files.sort().map((file) => ({ file: join(path, name, file), class: name }));
    }),
  );
  return lists.flat();
}

function foundPictures(folder: PictureFolder): FoundData {
  const { path, train, test } = folder;
  const files = [...train, ...test].map(({ file }) => file);
  const found = {
    title: 'pictures in a folder for each class',
    files,
    names: files.map((file) => relative(path, file)),
  };
  return {
    ...found,
    async read({ onProgress }) {
      return readAsSeen(folder, await look(folder), onProgress);
    },
    async survey(_, { onProgress }) {
      const seen = await look(folder);
      const problems = seen.problems.map(problemText);
      return {
        understanding: { examples: files.length, description: seen.description, problems, notes: [] },
        read: async () => readAsSeen(folder, seen, onProgress),
      };
    },
    describedBy(description) {
      if (description.kind === 'pictures')
        return { ...found, read: ({ onProgress }) => readPictures(folder, description, onProgress) };
      throw new DataError({
        file: path,
        expected: 'a description of pictures',
        found: `one of a ${description.kind}`,
      });
    },
  };
}

async function readAsSeen(
  folder: PictureFolder,
  { description, problems }: Awaited<ReturnType<typeof look>>,
  onProgress: OnReadProgress | undefined,
): Promise<ReadData> {
  for (const problem of problems) throw problem;
  return readPictures(folder, description, onProgress);
}

const classesOf = (list: readonly Picture[]) => [...new Set(list.map((picture) => picture.class))];

/** The description that the pictures' headers suggest: the size of the first, grey where all are. */
async function look({ path, train, test }: PictureFolder) {
  const { pictureHeads } = await import('./decode.js');
  const heads = await pictureHeads([...train, ...test].map(({ file }) => file));
  const [first] = heads as [(typeof heads)[number]];
  const other = heads.findIndex(({ height, width }) => height !== first.height || width !== first.width);
  const problems: DataError[] = [];
  if (other >= 0) {
    const { file, height, width } = heads[other] as (typeof heads)[number];
    const expected = `${first.width} × ${first.height} pixels like ${relative(path, first.file)}, or a description whose size all are brought to`;
    const found = `${width} × ${height}`;
    problems.push(new DataError({ file, expected, found, mend: describeLine(path) }));
  }
  const description: PicturesDescription = {
    kind: 'pictures',
    source: path,
    size: [first.height, first.width],
    channels: heads.every(({ isGrey }) => isGrey) ? 1 : 3,
    classes: classesOf(train),
  };
  return { description, problems };
}

/** @throws {DataError} for a class without pictures, one in the test that training lacks, and pictures that cannot be decoded */
async function readPictures(
  { path, train, test }: PictureFolder,
  description: PicturesDescription,
  onProgress: OnReadProgress | undefined,
): Promise<ReadData> {
  const { classes, size, channels } = description;
  const known = classesOf(train);
  const without = classes.find((name) => !known.includes(name));
  if (without !== undefined)
    throw new DataError({
      file: path,
      expected: `pictures in a folder ${without}`,
      found: `folders ${known.join(', ')}`,
    });
  const strange = classesOf(test).find((name) => !known.includes(name));
  if (strange !== undefined)
    throw new DataError({
      file: path,
      expected: 'classes for the test that training has, too',
      found: strange,
    });
  const partOf = async (list: readonly Picture[]) => {
    const kept = list.filter((picture) => classes.includes(picture.class));
    const labels = Int32Array.from(kept, (picture) => classes.indexOf(picture.class));
    const y = rowsOfArray({ dtype: 'int32', shape: [kept.length], values: labels });
    const files = kept.map(({ file }) => file);
    return { x: await pixelsOf(files, { size, channels, onProgress }), y };
  };
  const parts = { train: await partOf(train), test: test.length === 0 ? undefined : await partOf(test) };
  return { arrays: archiveOfParts(parts, path), facts: { classNames: classes } };
}

/** So many bytes of pixels are decoded at once, where they are more than memory should hold. */
const PIECE_BYTES = 16e6;

/** Pixels of pictures: in memory, or decoded in pieces each time that they are read. */
async function pixelsOf(files: readonly string[], form: PictureForm): Promise<NpyRows> {
  const { decodePictures } = await import('./decode.js');
  const { size, channels, onProgress } = form;
  const shape = [files.length, ...size, ...(channels === 1 ? [] : [channels])];
  const sizeBytes = size[0] * size[1] * channels;
  if (files.length * sizeBytes <= IN_MEMORY_BYTES)
    return rowsOfArray({ dtype: 'uint8', shape, values: await decodePictures(files, form) });
  const count = Math.max(1, Math.floor(PIECE_BYTES / sizeBytes));
  return {
    ...{ dtype: 'uint8', shape },
    async *pieces() {
      for (let at = 0; at < files.length; at += count) {
        yield await decodePictures(files.slice(at, at + count), { size, channels });
        onProgress?.({ done: Math.min(files.length, at + count), total: files.length, unit: 'examples' });
      }
    },
  };
}
