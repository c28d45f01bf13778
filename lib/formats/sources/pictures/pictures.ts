/** Pictures in a folder for each class, alone or in folders for training and test. */
import { extname, join, relative } from 'node:path';
import { DataError } from '../../../core/errors.js';
import { IN_MEMORY_BYTES } from '../../../federation/example-rows.js';
import { type NpyRows, rowsOfArray } from '../../data/npy.js';
import { describeLine, type PicturesDescription } from '../description.js';
import {
  archiveOfParts,
  type DataPlace,
  type FoundData,
  listFolder,
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
  /** What lies beside them, where each picture of a class is one that is read. */
  readonly others: readonly string[];
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
  const folders = foldersOf(entries ?? []);
  const training = folders.find((name) => TRAIN.test(name));
  if (training === undefined) {
    const { list: train, others } = await picturesIn(path, folders);
    return train.length === 0 ? undefined : { path, train, test: [], others };
  }
  const held = TESTS.flatMap((test) => folders.filter((name) => test.test(name))).at(0);
  const inFolder = async (name: string) =>
    picturesIn(join(path, name), foldersOf(await listFolder(join(path, name))));
  const train = await inFolder(training);
  if (train.list.length === 0) return undefined;
  const test = held === undefined ? { list: [], others: [] } : await inFolder(held);
  return { path, train: train.list, test: test.list, others: [...train.others, ...test.others] };
}

/** Sorted, so that the same pictures are the same dataset on any disk. */
const foldersOf = (entries: NonNullable<DataPlace['entries']>): readonly string[] =>
  entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name);

async function picturesIn(path: string, classes: readonly string[]) {
  const list: Picture[] = [];
  const others: string[] = [];
  const listed = await Promise.all(classes.map((name) => listFolder(join(path, name))));
  for (const [at, entries] of listed.entries()) {
    const name = classes[at] as string;
    if (entries.length === 0) others.push(join(path, name));
    for (const entry of entries) {
      const file = join(path, name, entry.name);
      if (entry.isDirectory || !ENDINGS.has(extname(entry.name).toLowerCase())) others.push(file);
      else list.push({ file, class: name });
    }
  }
  return { list, others };
}

/** Paths that a note names. */
const MOST_NAMED = 3;

/** What is told of a folder in which not all is read. */
function notesOf({ path, others }: PictureFolder): readonly string[] {
  if (others.length === 0) return [];
  const shown = others.slice(0, MOST_NAMED).map((other) => relative(path, other));
  const list = `${shown.join(', ')}${others.length > MOST_NAMED ? ', …' : ''}`;
  return [
    `${others.length} files or folders are no pictures in PNG, JPEG, WebP, GIF or AVIF: left out (${list})`,
  ];
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
    async read({ onProgress, tell }) {
      const data = await readAsSeen(folder, await look(folder), onProgress);
      for (const note of notesOf(folder)) tell?.(note);
      return data;
    },
    async survey(_, { onProgress }) {
      const seen = await look(folder);
      const problems = seen.problems.map(problemText);
      return {
        understanding: {
          examples: files.length,
          description: seen.description,
          problems,
          notes: notesOf(folder),
        },
        read: async () => readAsSeen(folder, seen, onProgress),
      };
    },
    describedBy(description) {
      if (description.kind === 'pictures')
        return {
          ...found,
          async read({ onProgress, tell }) {
            for (const note of notesOf(folder)) tell?.(note);
            return readPictures(folder, description, onProgress);
          },
        };
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
