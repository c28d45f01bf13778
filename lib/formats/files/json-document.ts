/**
 * JSON from files, checked against a schema and its own checksum, with the place of what is wrong with it; and JSON
 * that people read.
 */
import { z } from 'zod';
import { DataError, messageOf } from '../../core/errors.js';
import { isRefusal } from '../../core/system-errors.js';
import { readTextFile, sha256 } from './read-file.js';

/** Texts as they stand in JSON, a last one without its end too, and what Python writes where JSON has no number. */
const TEXT_OR_NO_NUMBER = /"(?:[^"\\]|\\[\s\S])*\\?(?:"|$)|-?\b(?:NaN|Infinity)\b/g;
const CHANGED =
  'one that was changed since it was written, by its checksum (without the field "checksum" it is taken as it is)';
/** No text of a file begins so. */
const MARK = '\u0000';

/** What a document has to be, and what errors call it. */
interface DocumentOptions<T> {
  readonly schema: z.ZodType<T>;
  readonly file: string;
  readonly expected: string;
}

/** A document that a program wrote. @throws {DataError} when it is no JSON, other than its schema, or changed since */
export function parseDocument<T>(text: string, { schema, file, expected }: DocumentOptions<T>): T {
  try {
    const document: unknown = JSON.parse(text);
    const content = withoutChecksum(document);
    if (content === undefined) throw new DataError({ file, expected, found: CHANGED });
    return schema.parse(content);
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    const found = cause instanceof z.ZodError ? schemaFault(cause) : jsonFault(text, cause);
    throw new DataError({ file, expected, found }, { cause });
  }
}

/** Reads a document. @throws {DataError} when it is missing, and as `parseDocument` does */
export async function readDocument<T>({ schema, file, expected }: DocumentOptions<T>): Promise<T> {
  return parseDocument(await readTextFile(file, expected), { schema, file, expected });
}

/**
 * What a record tells that is being read; undefined where it is missing or damaged.
 *
 * @throws {DataError} where the system refuses to read it: it may be whole
 */
export async function ifWhole<T>(record: Promise<T>): Promise<T | undefined> {
  try {
    return await record;
  } catch (error) {
    if (error instanceof DataError && !isRefusal(error.cause)) return undefined;
    throw error;
  }
}

/** Why a text is no JSON: `NaN at layers.1.rate, which is no number of JSON`, or what the parser says. */
export function jsonFault(text: string, error: unknown): string {
  if (text.trim() === '') return 'no JSON but an empty text';
  const marked = text.replace(TEXT_OR_NO_NUMBER, (token) =>
    token.startsWith('"') ? token : JSON.stringify(MARK + token),
  );
  try {
    const place = findMark(JSON.parse(marked), []);
    if (place !== undefined) return `${place.token}${at(place.path)}, which is no number of JSON`;
  } catch {
    // It is wrong otherwise, too.
  }
  return `no JSON (${messageOf(error)})`;
}

/** What of a document is other than its schema, and where. */
function schemaFault({ issues: [issue] }: z.ZodError): string {
  return issue === undefined
    ? 'another structure'
    : `a fault${at(issue.path) || ' at its top level'}: ${issue.message}`;
}

function at(path: readonly PropertyKey[]): string {
  return path.length === 0 ? '' : ` at ${path.map(String).join('.')}`;
}

interface Place {
  readonly token: string;
  readonly path: readonly string[];
}

function findMark(value: unknown, path: readonly string[]): Place | undefined {
  if (typeof value === 'string' && value.startsWith(MARK)) return { token: value.slice(MARK.length), path };
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [key, each] of Object.entries(value)) {
    const found = findMark(each, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The text of `value`, without a line feed at its end. */
export function compactJson(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  return text.replace(/\[\n[\d,\s]+\]/g, (list) => list.replace(/\s+/g, '').replaceAll(',', ', '));
}

/** The value of a JSON text; undefined where it is none, as a line that is still being written. */
export function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As schemas have it. */
export const checksumField = z
  .string()
  .optional()
  .describe(
    'sha256 of the record as JSON without white space and without this field: tells whether it was changed since it was ' +
      'written. Records of earlier versions have none, and are taken as they are.',
  );

/** A record as it is written, its checksum last. */
export function withChecksum<T extends object>(record: T): T & { readonly checksum: string } {
  const { checksum: _, ...content } = record as T & { readonly checksum?: unknown };
  return { ...(content as T), checksum: checksumOf(content) };
}

/** The record without its checksum; undefined where it was changed since it was written, the name of its checksum too. */
export function withoutChecksum(record: unknown): unknown {
  if (typeof record !== 'object' || record === null) return record;
  const name = 'checksum' in record ? 'checksum' : (Object.keys(record).at(-1) ?? '');
  const { [name]: told, ...content } = record as Record<string, unknown>;
  const isWhole = typeof told === 'string' && told === checksumOf(content);
  if (name === 'checksum') return isWhole ? content : undefined;
  return isWhole ? undefined : record;
}

/** The order of the fields is that of the file, both when it is written and when it is read. */
const checksumOf = (content: object): string => sha256(JSON.stringify(content));
