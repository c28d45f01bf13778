/** The report of a run: the records of a volume as one HTML document, written beside them. */
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { exists } from '../lib/formats/files/read-file.js';
import { readRepeatedRun } from '../lib/formats/repeated-run.js';
import type { RunState } from '../lib/formats/runs/sessions.js';
import { repeatedPaths, volumePaths } from '../lib/formats/volume.js';
import { type Html, html } from '../lib/html/html.js';
import { type Page, page } from './frame.js';
import { renderRepeatedRun } from './repeated-run.js';
import { type ReportRecords, readWhatCanBeRead } from './report-records.js';
import { clientTable } from './sections/client-table.js';
import { clients } from './sections/clients.js';
import { curves } from './sections/course.js';
import { directions } from './sections/directions.js';
import { alarmOf, badgeOf, headFigures, headlineOf, leadOf, settings } from './sections/overview.js';
import { participation } from './sections/participation.js';
import { reproduction, times } from './sections/sessions.js';
import { shards } from './sections/shards.js';
import { statistics } from './sections/statistics.js';
import { testResult } from './sections/test-result.js';

/** What the page of a run says: all of it follows from the records. */
export function reportOf(records: ReportRecords): Page {
  const { run } = records;
  return {
    command: 'run',
    title: run.name ?? run.id,
    state: badgeOf(records),
    headline: headlineOf(records),
    lead: leadOf(run),
    alarm: alarmOf(records),
    figures: headFigures(records),
    main: [
      unreadable(records),
      curves(records),
      testResult(records),
      clientTable(records),
      clients(records),
      participation(records),
      directions(records),
      shards(records),
      statistics(records),
      times(records),
      settings(records),
      reproduction(records),
    ],
    foot: html`Made by fedbatch ${run.versions.fedbatch} from run.json, manifest.json, round.json, accuracy.json and metrics.jsonl of this volume.`,
  };
}

/** The document that tells of a run. */
export const renderReport = (records: ReportRecords): string => page(reportOf(records));

/** The files that the page cannot tell of. */
function unreadable({ faults = [] }: ReportRecords): Html | undefined {
  if (faults.length === 0) return undefined;
  return html`<section class="card">
    <h2>What could not be read</h2>
    <ul>${faults.map((each) => html`<li>${each}</li>`)}</ul>
  </section>`;
}

/** What was written. */
interface WrittenReport {
  /** Path of the report. */
  readonly file: string;
  /** Rounds that it tells of. */
  readonly rounds: number;
  readonly state: RunState | undefined;
  /** Which records could not be read, and why, a sentence each. */
  readonly faults: readonly string[];
}

/**
 * Writes the report of the run on a volume, finished or not; or of a run that is repeated with several seeds.
 *
 * @throws {DataError} when there is no run, or its record (run.json) is damaged; of others that are, the page says so
 * @throws {StorageError} when the disk refuses
 */
export async function writeReport(volume: string): Promise<WrittenReport> {
  const paths = volumePaths(volume);
  const { record } = repeatedPaths(volume);
  if (await exists(record)) {
    const repeated = await readRepeatedRun(record);
    await writeFileAtomic(paths.report, renderRepeatedRun(repeated));
    return { file: paths.report, rounds: repeated.course.length, state: undefined, faults: [] };
  }
  const records = await readWhatCanBeRead(paths);
  await writeFileAtomic(paths.report, renderReport(records));
  const { rounds, state, faults = [] } = records;
  return { file: paths.report, rounds: rounds.length, state, faults };
}
