/** The report of a run: the records of a volume as one HTML document without scripts, written beside them. */
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { volumePaths } from '../lib/formats/volume.js';
import { html, toText } from '../lib/html/html.js';
import { type RunRecords, type RunState, readRunRecords } from './records.js';
import { clients } from './sections/clients.js';
import { curves, stages } from './sections/course.js';
import { overview, settings } from './sections/overview.js';
import { participation } from './sections/participation.js';
import { shards } from './sections/shards.js';
import { testResult } from './sections/test-result.js';
import { style } from './style.js';

/** The document that tells of a run. */
export function renderReport(records: RunRecords): string {
  return toText(html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${records.run.id} · fedbatch</title>
  ${style}
</head>
<body>
  ${overview(records)}
  <main>
  ${curves(records)}
  ${testResult(records)}
  ${clients(records)}
  ${participation(records)}
  ${shards(records)}
  ${stages(records)}
  ${settings(records)}
  </main>
  <footer>Made by fedbatch ${records.run.versions.fedbatch} from run.json, manifest.json, round.json, accuracy.json and metrics.jsonl of this volume.</footer>
</body>
</html>
`);
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
