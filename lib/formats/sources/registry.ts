/** The kinds of data that `--data` takes beside npz; the readers behind them are loaded where they read. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { DataError } from '../../core/errors.js';
import { readHead, sha256, sha256OfFile } from '../files/read-file.js';
import { readDescription } from './description.js';
import { idx } from './idx.js';
import { pictures } from './pictures/pictures.js';
import { type DataPlace, type FoundData, listFolder, type SourceKind } from './source-kind.js';
import { tables } from './table/tables.js';

/** Data that a description stands for. */
const described: SourceKind = {
  async find({ path, entries, findAt }) {
    if (entries !== undefined || !/\.ya?ml$/i.test(path)) return undefined;
    const description = await readDescription(path);
    const found = await findAt(description.source);
    const data = found.describedBy?.(description);
    const names = data?.names && { names: [basename(path), ...data.names] };
    if (data !== undefined) return { ...data, ...names, files: [path, ...data.files] };
    const expected = `source to be a ${description.kind === 'table' ? 'table' : 'folder of pictures'}`;
    throw new DataError({ file: path, expected, found: found.title });
  },
};

/** The first that takes a place has it. */
const KINDS: readonly SourceKind[] = [described, idx, pictures, tables];

/** The data at a path, where they are of another kind than npz and shards; undefined for those and for what is not known. */
export async function findData(path: string): Promise<FoundData | undefined> {
  const place = await placeAt(path);
  if (place === undefined) return undefined;
  for (const kind of KINDS) {
    const found = await kind.find(place);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** sha256 (hex) of all files that data are made of. @throws {DataError} when one is missing or cannot be read */
export async function sha256OfFound({ files, title, names }: FoundData): Promise<string> {
  const hashes: string[] = [];
  for (const file of files) hashes.push(await sha256OfFile(file, title));
  return files.length === 1
    ? (hashes[0] as string)
    : sha256(JSON.stringify({ names: names ?? files.map((file) => basename(file)), hashes }));
}

/** Undefined where nothing lies there, or nothing that can be read: whoever reads the file says so. */
async function placeAt(path: string): Promise<DataPlace | undefined> {
  const findAt = async (other: string) => {
    const found = await findData(other);
    if (found !== undefined) return found;
    throw new DataError({ file: other, expected: 'data that a description can describe', found: 'none' });
  };
  try {
    if ((await stat(path)).isDirectory())
      return { path, entries: await listFolder(path), head: Buffer.alloc(0), findAt };
    return { path, head: await readHead(path), findAt };
  } catch {
    return undefined;
  }
}
