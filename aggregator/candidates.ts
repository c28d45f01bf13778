/** Finds the files that may be client updates, and reads their facts. */
import { readdir, realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import { DataError, isFedbatchError, UsageError } from '../lib/federation/errors.js';
import { errorCode } from '../lib/formats/atomic-file.js';
import { readUpdateFacts } from '../lib/formats/keras-hdf5.js';
import { readAhead } from './read-ahead.js';

/** A file that may be an update; without facts it is a plain Keras model that a user named. */
export interface Candidate {
  readonly file: string;
  readonly facts: UpdateFacts | undefined;
}

/** A file that does not count, and why. */
export interface Rejection {
  readonly file: string;
  readonly reason: string;
}

/** Where updates are looked for. */
export interface Sources {
  /** Its `*.h5` files are updates, but for those whose name begins with a dot: unfinished files do. */
  readonly directory?: string | undefined;
  /** Files that a user named. */
  readonly files: readonly string[];
  /** The parent and the result: never updates, wherever they lie. */
  readonly excluded: readonly string[];
}

/** Candidates in the order in which they are averaged: by client, then by name; plain Keras models last. */
export interface Candidates {
  readonly candidates: readonly Candidate[];
  readonly rejected: readonly Rejection[];
}

/** Files that wait in memory for their facts to be read. */
const READ_AHEAD = 8;
const NO_FACTS = 'tells no client, round and number of examples: it is no client update';

/**
 * Looks at every file's facts, not at its weights.
 *
 * @throws {DataError} when the directory or a file that the user named is missing.
 */
export async function findCandidates(sources: Sources): Promise<Candidates> {
  const named = new Set(sources.files);
  const candidates: Candidate[] = [];
  const rejected: Rejection[] = [];
  for await (const [file, result] of readAhead(await listFiles(sources), READ_AHEAD, readUpdateFacts)) {
    if ('error' in result) {
      if (named.has(file) && isMissing(result.error)) throw result.error;
      rejected.push({ file, reason: unreadable(result.error) });
    } else if (result.value || named.has(file)) candidates.push({ file, facts: result.value });
    else rejected.push({ file, reason: NO_FACTS });
  }
  return { candidates: candidates.sort(byClientThenName), rejected };
}

/** Why a file could not be read; what is no fault of the file is thrown again. */
export function unreadable(error: unknown): string {
  if (error instanceof DataError) return `expected ${error.problem.expected}, found ${error.problem.found}`;
  if (isFedbatchError(error)) return error.message;
  throw error;
}

/** Each file once, even where it is reached under two names. */
async function listFiles({ directory, files, excluded }: Sources): Promise<readonly string[]> {
  const own = new Set(await Promise.all(excluded.map(identity)));
  const found = new Map<string, string>();
  for (const file of files) {
    const id = await identity(file);
    if (own.has(id))
      throw new UsageError(`${file} cannot be an update and the parent or the result as well.`);
    if (!found.has(id)) found.set(id, file);
  }
  for (const file of directory === undefined ? [] : await listDirectory(directory)) {
    const id = await identity(file);
    if (!own.has(id) && !found.has(id)) found.set(id, file);
  }
  return [...found.values()];
}

async function listDirectory(directory: string): Promise<readonly string[]> {
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith('.h5') && !name.startsWith('.'))
      .map((name) => join(directory, name));
  } catch (error) {
    const found =
      errorCode(error) === 'ENOENT' ? 'no such directory' : `one that cannot be read (${errorCode(error)})`;
    throw new DataError(
      { file: directory, expected: 'a directory of client updates', found },
      { cause: error },
    );
  }
}

const isMissing = (error: unknown) => error instanceof DataError && errorCode(error.cause) === 'ENOENT';
const identity = (file: string) => realpath(file).catch(() => resolve(file));

function byClientThenName(a: Candidate, b: Candidate): number {
  const difference = (a.facts?.client ?? Infinity) - (b.facts?.client ?? Infinity);
  if (difference < 0 || difference > 0) return difference;
  return a.file < b.file ? -1 : 1;
}
