/** What a kind of data is to the splitter: found by how it lies there, known by its files, read as named arrays. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataError } from '../../core/errors.js';
import type { DataFacts, TargetKind } from '../../federation/examples.js';
import type { NpyRows } from '../data/npy.js';
import { type ArrayArchive, archiveOf } from '../data/npz.js';
import type { ScratchFile } from '../files/scratch-file.js';
import type { DataDescription } from './description.js';
import type { Understanding } from './understanding.js';

/** What lies at the path of a dataset. */
export interface DataPlace {
  readonly path: string;
  /** The files and folders in it, sorted, where it is a folder. */
  readonly entries?: readonly DataEntry[];
  /** The first bytes, where it is a file. */
  readonly head: Buffer;
  /** Finds the data at another path: a description says where they lie. */
  readonly findAt: (path: string) => Promise<FoundData>;
}

/** What lies in a folder of data. */
interface DataEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/** What lies in a folder, but for what is hidden; a link is what it leads to. */
export async function listFolder(path: string): Promise<readonly DataEntry[]> {
  const listed = await readdir(path, { withFileTypes: true });
  const entries = listed
    .filter(({ name }) => !name.startsWith('.'))
    .map(async (entry) => {
      const { name } = entry;
      if (!entry.isSymbolicLink()) return { name, isDirectory: entry.isDirectory() };
      const target = await stat(join(path, name)).catch(() => undefined);
      return { name, isDirectory: target?.isDirectory() ?? false };
    });
  return (await Promise.all(entries)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Names of files without those that lie there unpacked, too: one that lies there twice counts once. */
export const withoutTwins = (names: readonly string[]): readonly string[] =>
  names.filter((name) => !names.includes(name.replace(/\.gz$/, '')) || !name.endsWith('.gz'));

/** How far a reading is. */
interface ReadProgress {
  readonly done: number;
  readonly total: number;
  readonly unit: 'bytes' | 'examples';
}

/** Hears how far a reading is. */
export type OnReadProgress = (progress: ReadProgress) => void;

/** What a reading wants of data. */
export interface DataReading {
  /** The array, or the column, that says whose each example is. */
  readonly key?: string | undefined;
  /** What the targets are, where that is known. */
  readonly targets?: TargetKind | undefined;
  readonly onProgress?: OnReadProgress | undefined;
  /** Takes what is more than memory holds; without one all is kept in memory. */
  readonly scratch?: ScratchFile | undefined;
  /** Whether the inputs are checked and not kept: their rows cannot be read. */
  readonly leavesInputs?: boolean | undefined;
  /** Hears one sentence about what was taken in a way that is not plain. */
  readonly tell?: ((note: string) => void) | undefined;
}

/** Data as the arrays that an npz of them would hold, with what these do not say of themselves. */
export interface ReadData {
  /** `x`, `y`, or `x_train`, `y_train`, `x_test`, `y_test`, several inputs as `x/<name>`; whose each example is under its own name. */
  readonly arrays: ArrayArchive;
  readonly facts: DataFacts;
  /** What the targets are, where that is known and their numbers alone might not tell. */
  readonly targets?: TargetKind | undefined;
}

/** What people say of a table when it is looked at for the first time. */
export interface FirstLook {
  readonly target?: string | undefined;
  readonly client?: string | undefined;
}

/** Data that were looked at. */
export interface Survey {
  readonly understanding: Understanding;
  /** The data as they were understood. @throws {DataError} for the first problem */
  read(): Promise<ReadData>;
}

/** Data that were found, and not read yet. */
export interface FoundData {
  /** What people call them, e.g. `a CSV file`. */
  readonly title: string;
  /** Everything that they are made of, in a fixed order. */
  readonly files: readonly string[];
  /** What they are called where their folders mean something; by default their names alone. */
  readonly names?: readonly string[];
  /** @throws {DataError} where the data are not what they should be @throws {UsageError} where what is wanted of them is */
  read(reading: DataReading): Promise<ReadData>;
  /** What can be understood of them without a description; absent where there is nothing to describe. */
  readonly survey?: (look: FirstLook, reading: DataReading) => Promise<Survey>;
  /** The same data as a description has them, where they can be described. */
  readonly describedBy?: (description: DataDescription) => FoundData;
}

/** A kind of data. */
export interface SourceKind {
  /** The data, where those at a place are of this kind. @throws {DataError} where they are, and something is missing */
  find(place: DataPlace): Promise<FoundData | undefined>;
}

/** Inputs and targets of some examples. */
interface DataPart {
  readonly x: NpyRows;
  readonly y: NpyRows;
}

/** The archive of data with one input, and with examples for the test where there are some. @param file named in error messages */
export function archiveOfParts(
  { train, test }: { readonly train: DataPart; readonly test: DataPart | undefined },
  file: string,
): ArrayArchive {
  if (test === undefined) return archiveOf({ ...train }, file);
  return archiveOf({ x_train: train.x, y_train: train.y, x_test: test.x, y_test: test.y }, file);
}

/** What has to be settled before data can be read, as their survey tells it: without the line to type. */
export const problemText = ({ problem: { file, expected, found } }: DataError): string =>
  `${file}: expected ${expected}, found ${found}`;
