/** Everything that a run's volume tells of the run, read from its records alone. */
import { readdir, readFile } from 'node:fs/promises';
import { z } from 'zod';
import { DataError } from '../lib/core/errors.js';
import { errorCode } from '../lib/core/system-errors.js';
import { accuracyRecordSchema, testFiguresSchema } from '../lib/formats/accuracy-record.js';
import { type Confusion, confusionsIn } from '../lib/formats/confusions.js';
import { jsonOrNothing, withoutChecksum } from '../lib/formats/files/json-document.js';
import { type Manifest, readManifest } from '../lib/formats/manifest.js';
import {
  type RoundRecord,
  type RunRecord,
  readRoundRecord,
  readRunRecord,
} from '../lib/formats/run-record.js';
import { type RunState, readSessions, type Session } from '../lib/formats/runs/sessions.js';
import { roundsAmong, type VolumePaths } from '../lib/formats/volume.js';

/** What the volume tells; parts that a run has not come to yet are undefined. */
export interface RunRecords {
  readonly run: RunRecord;
  readonly manifest?: Manifest | undefined;
  /** In the order of the rounds. */
  readonly rounds: readonly RoundRecord[];
  readonly accuracy?: ReportedAccuracy | undefined;
  /** Seconds of each stage in every session: a run that was stopped and went on has several. */
  readonly sessions: readonly Session[];
  /** How the last session stands; undefined where there is no metrics.jsonl. */
  readonly state?: RunState | undefined;
}

const accuracySchema = testFiguresSchema
  .extend(accuracyRecordSchema.pick({ perClass: true, perClient: true, mistakes: true }).shape)
  .extend({
    confusions: z
      .custom<readonly Confusion[]>((value) => value !== undefined, 'expected confusions')
      .optional(),
  })
  .refine(
    ({ task, perClass, confusions }) => task !== undefined || (perClass && confusions),
    'expected confusions',
  );

/** What the last accuracy test found: `accuracy.json`. */
export type ReportedAccuracy = z.infer<typeof accuracySchema>;

/** Reads a record by `read`; undefined where the run has not come to it yet. */
export type RecordReader = <T>(path: string, read: (path: string) => Promise<T>) => Promise<T | undefined>;

/**
 * Reads the records of the run on a volume; `record` reads each of them.
 *
 * @throws {DataError} when `run.json` is missing, or a record that is there is damaged
 */
export async function readRunRecords(
  paths: VolumePaths,
  record: RecordReader = unlessMissing,
): Promise<RunRecords> {
  const readEvents = (path: string) => readSessions(path);
  return await recordsBeside(await record(paths.metrics, readEvents), { paths, record });
}

/** The records beside the events of a run, which are read already. @throws {DataError} likewise */
export async function recordsBeside(
  { sessions, state }: Pick<RunRecords, 'state'> & Partial<RunRecords> = {},
  { paths, record }: { readonly paths: VolumePaths; readonly record: RecordReader },
): Promise<RunRecords> {
  const run = (await record(paths.run, readRunRecord)) ?? (await readRunRecord(paths.run));
  return {
    run,
    manifest: await record(paths.manifest, readManifest),
    rounds: await readRounds(paths, record),
    accuracy: await record(paths.accuracy, readAccuracy),
    sessions: sessions ?? [],
    state,
  };
}

async function readRounds(paths: VolumePaths, read: RecordReader): Promise<readonly RoundRecord[]> {
  const names = await readdir(paths.rounds).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  });
  const rounds: RoundRecord[] = [];
  for (const round of roundsAmong(names)) {
    const record = await read(paths.round(round).record, readRoundRecord);
    if (record !== undefined) rounds.push(record);
  }
  return rounds;
}

async function readAccuracy(path: string): Promise<ReportedAccuracy> {
  const record = withoutChecksum(jsonOrNothing(await readFile(path, 'utf8')));
  const confusions = typeof record === 'object' && record !== null ? confusionsIn(record) : undefined;
  const parsed = accuracySchema.safeParse({ ...(record as object | undefined), confusions });
  if (parsed.success) return parsed.data;
  const found = 'something else';
  throw new DataError(
    { file: path, expected: 'the result of an accuracy test', found },
    { cause: parsed.error },
  );
}

/** Reads a record; undefined where the run has not come to it yet. */
export async function unlessMissing<T>(
  path: string,
  read: (path: string) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read(path);
  } catch (error) {
    const cause = error instanceof DataError ? error.cause : error;
    if (errorCode(cause) === 'ENOENT') return undefined;
    throw error;
  }
}
