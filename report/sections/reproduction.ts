/** How the run is repeated, and the hashes by which one sees that it is the same. */
import { join, relative } from 'node:path';
import { type Html, html } from '../../lib/html/html.js';
import { runFlags } from '../../lib/settings/run-flags.js';
import { factRows } from '../frame.js';
import type { ReportRecords } from '../report-records.js';

/** Commands and hashes. */
export function reproduction({ run, volume, manifest, accuracy, rounds }: ReportRecords): Html {
  const last = rounds.findLast(({ aggregate }) => aggregate !== undefined)?.aggregate;
  const hashes: readonly (readonly [string, string | undefined])[] = [
    ['dataset', manifest?.dataset.sha256 ?? run.settings.dataset.sha256],
    ['test examples', manifest?.test.sha256],
    ['model file or task', run.settings.model.sha256],
    ['initial model', rounds[0]?.parent],
    ['global model', last?.sha256 ?? accuracy?.sha256],
  ];
  const threads = ['--threads', `${run.threads}`, '--volume', 'again'];
  const record = volume === undefined ? 'run.json' : join(shortPath(volume), 'run.json');
  return html`<section class="card">
    <h2>How to repeat it</h2>
    <p>From its settings, or from its record; the data have to lie where they lay then:</p>
    <pre><code>${commandLine([...runFlags(run.settings), ...threads])}</code></pre>
    <pre><code>${commandLine(['--config', record, ...threads])}</code></pre>
    <p class="note">On a machine and an engine like these, again/aggregated-model.h5 has the same sha256 as the global model below.</p>
    <h3>sha256</h3>
    <div class="hashes">${factRows(hashes.flatMap(([name, hash]) => (hash === undefined ? [] : [[name, html`<code class="hash">${hash}</code>`] as const])))}</div>
  </section>`;
}

const commandLine = (words: readonly string[]) => ['npx fedbatch run', ...words.map(quoted)].join(' ');

/** As a shell takes it for one word. */
const quoted = (word: string) =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

function shortPath(path: string): string {
  const below = relative(process.cwd(), path);
  return below.startsWith('..') ? path : below;
}
