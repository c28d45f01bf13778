/** The report of a run: the records of a volume as one HTML document without scripts, written beside them. */
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { exists } from '../lib/formats/files/read-file.js';
import { readRepeatedRun } from '../lib/formats/repeated-run.js';
import { repeatedPaths, volumePaths } from '../lib/formats/volume.js';
import { html } from '../lib/html/html.js';
import { type RunRecords, type RunState, readRunRecords } from './records.js';
import { renderRepeatedRun } from './repeated-run.js';
import { clients } from './sections/clients.js';
import { curves, stages } from './sections/course.js';
import { alarmOf, headFigures, leadOf, settings } from './sections/overview.js';
import { participation } from './sections/participation.js';
import { shards } from './sections/shards.js';
import { statistics } from './sections/statistics.js';
import { testResult } from './sections/test-result.js';
import { type Page, page } from './style.js';

/** The document that tells of a run. */
export const renderReport = (records: RunRecords): string => page(reportOf(records));

/** What the document says: what has happened so far. */
export function reportOf(records: RunRecords): Page {
  const { run } = records;
  return {
    command: 'run',
    title: run.id,
    lead: leadOf(run),
    alarm: alarmOf(records),
    figures: headFigures(records),
    main: [
      curves(records),
      testResult(records),
      clients(records),
      participation(records),
      shards(records),
      statistics(records),
      stages(records),
      settings(records),
    ],
    foot: html`Made by fedbatch ${run.versions.fedbatch} from run.json, manifest.json, round.json, accuracy.json and metrics.jsonl of this volume.`,
  };
}

/** What was written. */
interface WrittenReport {
  /** Path of the report. */
  readonly file: string;
  /** Rounds that it tells of. */
  readonly rounds: number;
  readonly state: RunState | undefined;
}

/**
 * Writes the report of the run on a volume, finished or not; or of a run that is repeated with several seeds.
 *
 * @throws {DataError} when there is no run, or one of its records is damaged
 * @throws {StorageError} when the disk refuses
 */
export async function writeReport(volume: string): Promise<WrittenReport> {
  const paths = volumePaths(volume);
  const { record } = repeatedPaths(volume);
  if (await exists(record)) {
    const repeated = await readRepeatedRun(record);
    await writeFileAtomic(paths.report, renderRepeatedRun(repeated));
    return { file: paths.report, rounds: repeated.course.length, state: undefined };
  }
  const records = await readRunRecords(paths);
  await writeFileAtomic(paths.report, renderReport(records));
  return { file: paths.report, rounds: records.rounds.length, state: records.state };
}
