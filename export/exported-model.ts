/** What is exported: a model file, and what the records beside it say of exactly this file. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { ModelError, UsageError } from '../lib/core/errors.js';
import { type ModelFromFile, readModelFile } from '../lib/engine/model-file.js';
import { modelTask } from '../lib/engine/starting-task.js';
import type { RoundRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import type { Task } from '../lib/model/tasks/task.js';
import { type ReportedAccuracy, type RunRecords, readRunRecords } from '../report/records.js';

/** A model, and where it comes from. */
export interface ExportedModel extends ModelFromFile {
  readonly path: string;
  /** Unknown of layers that only other programs know, and of a loss that is not known here. */
  readonly task?: Task | undefined;
  /** The run that made exactly this file. */
  readonly origin?: Origin | undefined;
}

/** A run, and which of its models this is. */
export interface Origin {
  readonly records: RunRecords;
  /** The round that ended with it; 0 of the initial model. */
  readonly round: number;
  /** Of a client's own model. */
  readonly client?: number;
  /** What the test of this model found, where it was tested. */
  readonly test?: Omit<ReportedAccuracy, 'sha256'> | undefined;
}

/**
 * Reads a model that may have layers which only other programs know.
 *
 * @throws {DataError} when there is none, or one of the records beside it is damaged
 */
export async function readExportedModel(path: string): Promise<ExportedModel> {
  const opened = { path, ...(await readModelFile(path)) };
  return { ...opened, task: taskIn(opened), origin: await findOrigin(path, opened.sha256) };
}

function taskIn(starting: Parameters<typeof modelTask>[0]): Task | undefined {
  try {
    return modelTask(starting);
  } catch (error) {
    if (error instanceof UsageError || error instanceof ModelError) return undefined;
    throw error;
  }
}

/** Directories that the volume may be, of the files of models on it: the volume's own, a client's, those of a round. */
const volumesAbove = (path: string) => [
  dirname(path),
  dirname(dirname(path)),
  dirname(dirname(dirname(path))),
];

async function findOrigin(path: string, hash: string): Promise<Origin | undefined> {
  const paths = volumesAbove(path)
    .map((volume) => volumePaths(volume))
    .find(({ run }) => existsSync(run));
  if (paths === undefined) return undefined;
  const records = await readRunRecords(paths);
  const { rounds, accuracy } = records;
  const tested = accuracy?.sha256 === hash ? accuracy : undefined;
  const made = rounds.find(({ aggregate }) => aggregate?.sha256 === hash);
  if (made !== undefined) return { records, round: made.round, test: tested ?? evaluationOf(made) };
  if (rounds[0]?.parent === hash) return { records, round: 0, test: tested };
  for (const { round, reported } of rounds) {
    const own = reported.find((each) => each.sha256 === hash);
    if (own !== undefined) return { records, round, client: own.client, test: tested };
  }
  return undefined;
}

function evaluationOf({ evaluation, aggregate }: RoundRecord): Origin['test'] {
  if (evaluation?.model !== aggregate?.sha256) return undefined;
  return evaluation;
}
