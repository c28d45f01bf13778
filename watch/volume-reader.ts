/** Reads the records of a volume again and again while a run writes them: files that have changed, and no others. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DataError } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import { roundsAmong, type VolumePaths } from '../lib/formats/volume.js';
import type { RecordReader } from '../report/records.js';

/** What tells a file from the one that lay there before: records are renamed into place, or grow. */
type Mark = string;

/**
 * Looks at what lies below a folder without asking for a name that the directory does not list: NFS remembers for half a
 * minute that there was none. What is listed and cannot be opened yet is there at a later look.
 */
interface Look {
  isListed(path: string): Promise<boolean>;
  /** Names in a directory; none where there is no such directory. */
  names(directory: string): Promise<readonly string[]>;
  /** Undefined where there is no such file. */
  mark(path: string): Promise<Mark | undefined>;
}

/** Begins a look: what it has listed it does not list again. */
function beginLook(root: string): Look {
  const listings = new Map<string, Promise<readonly string[]>>();
  const isListed = async (path: string): Promise<boolean> =>
    path === root || (await names(dirname(path))).includes(basename(path));
  const list = async (directory: string): Promise<readonly string[]> => {
    if (!(await isListed(directory))) return [];
    return await readdir(directory).catch((error: unknown) => {
      if (isAway(error)) return [];
      throw error;
    });
  };
  const names = (directory: string) => {
    const listing = listings.get(directory) ?? list(directory);
    listings.set(directory, listing);
    return listing;
  };
  return {
    isListed,
    names,
    async mark(path) {
      if (!(await isListed(path))) return undefined;
      try {
        const { mtimeMs, size, ino } = await stat(path);
        return `${mtimeMs} ${size} ${ino}`;
      } catch (error) {
        if (isAway(error)) return undefined;
        throw error;
      }
    },
  };
}

/** Not there, or no longer what this machine had looked up. */
const isAway = (error: unknown): boolean => ['ENOENT', 'ENOTDIR', 'ESTALE'].includes(errorCode(error));

/**
 * What stands on a volume now, in one text: it changes with every event of the run. Few files are looked at, however many
 * rounds there are.
 */
export async function volumeMark(paths: VolumePaths): Promise<Mark> {
  const look = beginLook(paths.root);
  const numbers = roundsAmong(await look.names(paths.rounds));
  const { run, metrics, accuracy, manifest } = paths;
  const files = [run, metrics, accuracy, manifest, paths.round(numbers.at(-1) ?? 1).record];
  const marks = await Promise.all(files.map((file) => look.mark(file)));
  return marks.every((mark) => mark === undefined)
    ? NOTHING
    : [numbers.length, ...marks.map((mark) => mark ?? '')].join('\n');
}

/** The mark of a volume that is no more. */
export const NOTHING: Mark = '';

/** Reads records and remembers them. */
export interface VolumeReader {
  /** Reads records for `use`; those that have not changed since the last time are not read again. */
  reading<T>(use: (record: RecordReader) => Promise<T>): Promise<T>;
  /** What is wrong with records, as of the last time: what is damaged counts as not there. */
  faults(): readonly string[];
}

/** Makes a reader of the volume at `root` that has read nothing. */
export function createVolumeReader(root: string): VolumeReader {
  // By the file and the name of what reads it: two may read other things in one file.
  const remembered = new Map<
    string,
    { readonly mark: Mark; readonly value?: unknown; readonly fault?: string }
  >();
  return {
    reading(use) {
      const look = beginLook(root);
      return use(async <T>(path: string, parse: (path: string) => Promise<T>) => {
        const key = `${path}\n${parse.name}`;
        const known = remembered.get(key);
        const mark = await look.mark(path);
        if (mark === undefined) {
          // Listed, it is there and not yet to be had; unlisted, it is gone.
          if (await look.isListed(path)) return known?.value as T | undefined;
          remembered.delete(key);
          return undefined;
        }
        if (known?.mark === mark) return known.value as T | undefined;
        try {
          const value = await parse(path);
          remembered.set(key, { mark, value });
          return value;
        } catch (error) {
          if (isAway(error) || (error instanceof DataError && isAway(error.cause)))
            return known?.value as T | undefined;
          if (!(error instanceof DataError)) throw error;
          remembered.set(key, { mark, fault: error.message });
          return undefined;
        }
      });
    },
    faults: () => [...remembered.values()].flatMap(({ fault }) => fault ?? []),
  };
}
