/** Data by their description: a `data.yaml` in place of what it describes. */
import { basename, dirname, resolve } from 'node:path';
import { DataError } from '../../core/errors.js';
import { readTextFile } from '../files/read-file.js';
import { type DataDescription, descriptionSchema } from './description.js';
import type { SourceKind } from './source-kind.js';

/** Data that a description stands for. */
export const described: SourceKind = {
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

/** A description from its file, with the path of what it describes. @throws {DataError} when it is none, by the field */
export async function readDescription(file: string): Promise<DataDescription> {
  const text = await readTextFile(file, 'a description of data');
  const { parse, YAMLError } = await import('yaml');
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    if (!(cause instanceof YAMLError)) throw cause;
    const [found = ''] = cause.message.split('\n');
    throw new DataError({ file, expected: 'YAML', found: found.replace(/:$/, '') }, { cause });
  }
  const read = descriptionSchema.safeParse(document);
  if (read.success) return { ...read.data, source: resolve(dirname(file), read.data.source) };
  const [issue] = read.error.issues;
  const where = issue?.path.join('.') || 'the document';
  throw new DataError({ file, expected: `a description of data`, found: `${where}: ${issue?.message}` });
}
