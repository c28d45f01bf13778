/** The report as one HTML document: no scripts, nothing that is loaded from elsewhere. */
import { html, toText } from '../lib/html/html.js';
import type { RunRecords } from './records.js';
import { curves } from './sections/curves.js';
import { overview, settings } from './sections/overview.js';
import { participation } from './sections/participation.js';
import { shards } from './sections/shards.js';
import { stages } from './sections/stages.js';
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
