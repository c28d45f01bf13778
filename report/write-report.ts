/** The report's main path: the records of a volume become `report.html` beside them. */
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { volumePaths } from '../lib/formats/volume.js';
import { renderReport } from './page.js';
import { type RunState, readRunRecords } from './records.js';

/** What was written. */
export interface WrittenReport {
  /** Path of the report. */
  readonly file: string;
  /** Rounds that it tells of. */
  readonly rounds: number;
  readonly state: RunState | undefined;
}

/**
 * Writes the report of the run on a volume, finished or not.
 *
 * @throws {DataError} when there is no run, or one of its records is damaged
 * @throws {StorageError} when the disk refuses
 */
export async function writeReport(volume: string): Promise<WrittenReport> {
  const paths = volumePaths(volume);
  const records = await readRunRecords(paths);
  await writeFileAtomic(paths.report, renderReport(records));
  return { file: paths.report, rounds: records.rounds.length, state: records.state };
}
