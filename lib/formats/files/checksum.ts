/** Checksums in records: one that a disk or a hand has changed since it was written is known by its own. */
import { z } from 'zod';
import { sha256 } from './read-file.js';

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

/** The record without its checksum; undefined where it was changed since it was written. */
export function withoutChecksum(record: unknown): unknown {
  if (typeof record !== 'object' || record === null || !('checksum' in record)) return record;
  const { checksum, ...content } = record;
  return checksum === checksumOf(content) ? content : undefined;
}

/** The order of the fields is that of the file, both when it is written and when it is read. */
const checksumOf = (content: object): string => sha256(JSON.stringify(content));
