/** What a report tells of beside the records of a run: the examples of the worst mistakes, and what was at work when. */
import { errorCode } from '../lib/formats/files/read-file.js';
import type { VolumePaths } from '../lib/formats/volume.js';
import { type PicturedMistake, readMistakes } from './mistakes.js';
import { type RunRecords, readRunRecords } from './records.js';
import { readTimeline, type Timeline } from './timeline.js';

/** The records of a run, and what else its volume has to show. */
export interface ReportRecords extends RunRecords {
  /** Where the run lies. */
  readonly volume?: string | undefined;
  /** The worst mistakes of the last test, with what the model was given where that is at hand. */
  readonly mistakes?: readonly PicturedMistake[] | undefined;
  /** What was at work when in the last session. */
  readonly timeline?: Timeline | undefined;
}

/**
 * Reads all that a report tells of.
 *
 * @throws {DataError} when `run.json` is missing, or a record that is there is damaged
 */
export async function readReportRecords(paths: VolumePaths): Promise<ReportRecords> {
  const records = await readRunRecords(paths);
  const { accuracy, manifest } = records;
  return {
    ...records,
    volume: paths.root,
    mistakes: accuracy?.mistakes && (await readMistakes(accuracy.mistakes, { manifest, test: paths.test })),
    timeline: await readTimeline(paths.metrics).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }),
  };
}
