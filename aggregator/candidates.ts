/** Finds the files that may be client updates, and reads their facts. */
import { lstat, readdir, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { DataError, isFedbatchError, UsageError } from '../lib/core/errors.js';
import { errorCode, isRefusal, systemReason } from '../lib/core/system-errors.js';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import { askFileServer } from '../lib/formats/files/late-names.js';
import { OtherArraysError, readUpdateFacts } from '../lib/formats/keras/keras-hdf5.js';
import type { Rejection } from '../lib/formats/stage-results.js';
import type { RoundClients } from './round-clients.js';

/** A file that may be an update; without facts it is a plain Keras model that a user named. */
export interface UpdateCandidate {
  readonly file: string;
  readonly facts: UpdateFacts | undefined;
  /** What the file has to be, where its client reported that. */
  readonly sha256?: string;
}

/** Where updates are looked for. */
interface Sources {
  /** Its `*.h5` files are updates, but for those whose name begins with a dot: unfinished files do. */
  readonly directory?: string | undefined;
  /** Files that a user named. */
  readonly files: readonly string[];
  /** The parent and the result: never updates, wherever they lie. */
  readonly excluded: readonly string[];
  /** Whose updates there can be; any client's where nothing stands here. */
  readonly clients?: RoundClients | undefined;
  /** Bytes of the largest file that can be an update. */
  readonly maxBytes?: number | undefined;
}

/** Candidates in the order in which they are averaged: by client, then by name; plain Keras models last. */
interface Candidates {
  readonly candidates: readonly UpdateCandidate[];
  readonly rejected: readonly Rejection[];
}

/** Files that wait in memory for their facts to be read. */
const READ_AHEAD = 8;
/** Files of nobody's that are told one by one; of a thousand more their number is enough. */
const MAX_STRANGERS_TOLD = 20;
const NO_FACTS = 'tells no client, round and number of examples: it is no client update';

/**
 * Looks at every file's facts, not at its weights. Where it is told whose updates there can be, a directory's other files
 * are not even opened; where it is told what they reported, the facts are those, and what the files hold is checked
 * against them once they are read.
 *
 * @throws {DataError} when the directory or a file that the user named is missing.
 */
export async function findCandidates(sources: Sources): Promise<Candidates> {
  const { clients, maxBytes } = sources;
  const readFacts = (file: string) => readUpdateFacts(file, { maxBytes });
  const named = new Set(sources.files);
  const { files, rejected } = splitOff(await listFiles(sources), { named, clients });
  const candidates: UpdateCandidate[] = [];
  const add = (candidate: UpdateCandidate) => {
    const { file, facts } = candidate;
    const reason = named.has(file) ? whyForeign(facts, clients) : whyMisplaced(candidate, clients);
    if (reason === undefined) candidates.push(candidate);
    else rejected.push({ file, reason });
  };
  const { reported } = clients ?? {};
  for (const { sha256, ...facts } of reported?.values() ?? [])
    add({ file: join(sources.directory ?? '', `${facts.client}.h5`), facts, sha256 });
  for await (const [file, result] of readAhead(reported ? [] : files, READ_AHEAD, readFacts)) {
    if ('error' in result) {
      if (named.has(file) && isMissing(result.error)) throw result.error;
      rejected.push({ file, reason: await whyUnreadable(file, result.error) });
    } else if (result.value || named.has(file)) add({ file, facts: result.value });
    else rejected.push({ file, reason: NO_FACTS });
  }
  return { candidates: candidates.sort(byClientThenName), rejected };
}

interface Wanted {
  readonly named: ReadonlySet<string>;
  readonly clients: RoundClients | undefined;
}

/** Parts the files that a directory's clients can have from those of nobody; what a user named is somebody's. */
function splitOff(
  all: readonly string[],
  { named, clients }: Wanted,
): { readonly files: readonly string[]; readonly rejected: Rejection[] } {
  if (clients === undefined) return { files: all, rejected: [] };
  const isWanted = (file: string) => named.has(file) || clients.clients.has(clientNamed(file) ?? -1);
  const what = clients.reported === undefined ? 'of this round' : 'that reported in this round';
  const strangers = all.filter((file) => !isWanted(file)).sort();
  const rejected = strangers.slice(0, MAX_STRANGERS_TOLD).map((file) => {
    const more = strangers.length - MAX_STRANGERS_TOLD;
    const others = more > 0 && file === strangers[MAX_STRANGERS_TOLD - 1] ? `; nor are ${more} more` : '';
    return { file, reason: `is not the update of a client ${what}${others}` };
  });
  return { files: all.filter(isWanted), rejected };
}

/** The client whose update a file is by its name, `<client>.h5`. */
function clientNamed(file: string): number | undefined {
  const [, digits] = /^(0|[1-9]\d{0,8})\.h5$/.exec(basename(file)) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** A plain Keras model tells nothing that could be held against it; a user has named it. */
function whyForeign(facts: UpdateFacts | undefined, clients: RoundClients | undefined): string | undefined {
  return facts === undefined ? undefined : clients?.whyForeign(facts);
}

function whyMisplaced(
  { file, facts }: UpdateCandidate,
  clients: RoundClients | undefined,
): string | undefined {
  const owner = clientNamed(file);
  const reason = whyForeign(facts, clients);
  if (reason !== undefined || clients === undefined || facts?.client === owner) return reason;
  return `tells client ${facts?.client}, and is the file of client ${owner}`;
}

/** Why a file could not be read; what is no fault of the file is thrown again. */
export async function whyUnreadable(file: string, error: unknown): Promise<string> {
  if (error instanceof OtherArraysError) return error.difference;
  if (!isFedbatchError(error)) throw error;
  // A client must not be left out, nor a quorum be missed, since this machine's disk failed.
  if (isRefusal(error.cause) && !(await isOwnDoing(file, error.cause))) throw error;
  if (!(error instanceof DataError)) return error.message;
  // Nor since another file that its update is compared with, the global model, cannot be read or was changed.
  if (error.problem.file !== file) throw error;
  return `expected ${error.problem.expected}, found ${error.problem.found}`;
}

/** What a client can bring about by what it leaves at its place, and what is so however often it is read. */
const REFUSED_FOR_GOOD: readonly string[] = ['EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG'];
const READABLE_BY_ALL = 0o444;

/** Whether the file is why the system refused it: it is none, a link among them, or not everybody may read it. */
async function isOwnDoing(file: string, refusal: Error): Promise<boolean> {
  if (!REFUSED_FOR_GOOD.includes(errorCode(refusal))) return false;
  const facts = await lstat(file).catch(() => undefined);
  return facts !== undefined && !(facts.isFile() && (facts.mode & READABLE_BY_ALL) === READABLE_BY_ALL);
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
  // An update that another machine has just written must not be left out.
  await askFileServer(directory);
  try {
    const names = await readdir(directory);
    return names
      .filter((name) => name.endsWith('.h5') && !name.startsWith('.'))
      .map((name) => join(directory, name));
  } catch (error) {
    const found =
      errorCode(error) === 'ENOENT' ? 'no such directory' : `one that cannot be read: ${systemReason(error)}`;
    throw new DataError(
      { file: directory, expected: 'a directory of client updates', found },
      { cause: error },
    );
  }
}

const isMissing = (error: unknown) => error instanceof DataError && errorCode(error.cause) === 'ENOENT';
const identity = (file: string) => realpath(file).catch(() => resolve(file));

/** Of two updates of a client that under its own name comes first, and counts. */
function byClientThenName(a: UpdateCandidate, b: UpdateCandidate): number {
  const difference = (a.facts?.client ?? Infinity) - (b.facts?.client ?? Infinity);
  if (difference < 0 || difference > 0) return difference;
  const isOwn = ({ file, facts }: UpdateCandidate) =>
    facts !== undefined && clientNamed(file) === facts.client;
  if (isOwn(a) !== isOwn(b)) return isOwn(a) ? -1 : 1;
  return a.file < b.file ? -1 : 1;
}

/** What came of one read: exactly one of `value` and `error`. */
type ReadResult<T> = { readonly value: T } | { readonly error: unknown };

/** Yields each item with what `read` made of it, in order; at most `ahead` results wait in memory. */
export async function* readAhead<I, T>(
  items: readonly I[],
  ahead: number,
  read: (item: I) => Promise<T>,
): AsyncGenerator<readonly [item: I, result: ReadResult<T>]> {
  const start = (item: I): Promise<ReadResult<T>> =>
    read(item).then(
      (value) => ({ value }),
      // Kept until its turn: a rejected promise that nobody waits for yet would end the process.
      (error: unknown) => ({ error }),
    );
  const running: Promise<ReadResult<T>>[] = items.slice(0, ahead).map(start);
  for (const [index, item] of items.entries()) {
    const result = await (running.shift() as Promise<ReadResult<T>>);
    const next = items[index + ahead];
    if (next !== undefined) running.push(start(next));
    yield [item, result];
  }
}
