/** What a report tells of beside the records of a run: the examples of the worst mistakes, and what was at work when. */
import { DataError } from '../lib/core/errors.js';
import { lockHolder } from '../lib/formats/files/lock-file.js';
import { type RunStatus, sessionState } from '../lib/formats/runs/run-status.js';
import { readSessions } from '../lib/formats/runs/sessions.js';
import type { VolumePaths } from '../lib/formats/volume.js';
import { type PicturedMistake, readMistakes } from './mistakes.js';
import { type RecordReader, type RunRecords, recordsBeside, unlessMissing } from './records.js';
import { gatherTimeline, type Timeline } from './timeline.js';

/** The records of a run, and what else its volume has to show. */
export interface ReportRecords extends RunRecords {
  /** Where the run lies. */
  readonly volume?: string | undefined;
  /** The worst mistakes of the last test, with what the model was given where that is at hand. */
  readonly mistakes?: readonly PicturedMistake[] | undefined;
  /** Which records could not be read, and why, a sentence each. */
  readonly faults?: readonly string[] | undefined;
  /** What was at work when in the last session. */
  readonly timeline?: Timeline | undefined;
  /** How the last session stands, by who holds the volume, too. */
  readonly standing?: Pick<RunStatus, 'state' | 'why'> | undefined;
}

/** Reads all that can be read: of a record that is damaged, the sentence that says so stays among the faults. */
export async function readWhatCanBeRead(paths: VolumePaths): Promise<ReportRecords> {
  const faults = new Set<string>();
  const records = await readReportRecords(paths, async (path, read) => {
    try {
      return await unlessMissing(path, read);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      faults.add(error.message);
      return undefined;
    }
  });
  return { ...records, faults: [...faults] };
}

/**
 * Reads all that a report tells of; `record` reads each file.
 *
 * @throws {DataError} when `run.json` is missing, or a record that is there is damaged
 */
export async function readReportRecords(
  paths: VolumePaths,
  record: RecordReader = unlessMissing,
): Promise<ReportRecords> {
  // Before the events are read: a run that ends says so before it lets go of its volume.
  const holder = await lockHolder(paths.lock);
  const events = await record(paths.metrics, readReportEvents);
  const records = await recordsBeside(events?.sessions, { paths, record });
  const { accuracy: { mistakes } = {}, manifest } = records;
  const readPictures = async () => mistakes && (await readMistakes(mistakes, { manifest, test: paths.test }));
  return {
    ...records,
    volume: paths.root,
    standing: events?.sessions.state && sessionState(events.sessions, holder),
    // They change with the test that found them.
    mistakes: await record(paths.accuracy, readPictures),
    timeline: events?.timeline,
  };
}

/** All that the events tell a report, which may be many: they are read once. */
async function readReportEvents(path: string) {
  const timeline = gatherTimeline();
  const sessions = await readSessions(path, timeline.hear);
  return { sessions, timeline: sessions.lastTime === undefined ? undefined : timeline.tell() };
}
