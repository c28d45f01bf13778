/** The sessions of a run: where the time went, and how it is repeated, with the hashes by which one sees that it is the same. */
import { join, relative } from 'node:path';
import { max, sum } from 'd3-array';
import { type Html, html } from '../../lib/html/html.js';
import { formatDuration, formatSeconds } from '../../lib/observability/format.js';
import { runFlags } from '../../lib/settings/run-flags.js';
import { gantt } from '../charts/gantt.js';
import { groupedCount } from '../format.js';
import { factRows } from '../frame.js';
import type { ReportRecords } from '../report-records.js';
import { barTable } from '../table.js';

/** The steps of a round. */
const STEPS = ['train', 'aggregate', 'evaluate'] as const;

/** Seconds by stage, and when each stage and each client was at work; nothing where neither is known. */
export function times({ sessions, rounds, timeline }: ReportRecords): Html | undefined {
  const last = sessions.at(-1);
  const spans = timeline?.spans ?? [];
  if (last === undefined && spans.length === 0) return undefined;
  return html`<section class="card">
    <h2>Time</h2>
    ${last && stageBars(last.seconds)}
    ${rounds.some(({ seconds: spent }) => spent) && html`<p class="note">All rounds together, earlier sessions included: ${STEPS.map((step) => `${step} ${formatDuration(sum(rounds, (round) => round.seconds?.[step]))}`).join(', ')}.</p>`}
    ${sessions.length > 1 && html`<p class="note">Of the last of ${groupedCount(sessions.length, 'session')}: what earlier ones had finished was skipped.</p>`}
    ${spans.length > 0 && html`<h3>What was at work when</h3><figure>${gantt(spans)}<figcaption><span class="key split"></span>split <span class="key train"></span>training <span class="key aggregate"></span>aggregation <span class="key evaluate"></span>test</figcaption></figure>`}
  </section>`;
}

function stageBars({ total = 0, ...seconds }: Readonly<Record<string, number>>): Html {
  const rows = Object.entries(seconds);
  const longest = Math.max(max(rows, ([, spent]) => spent) ?? 0, 1e-9);
  return barTable(
    rows.map(([name, spent]) => ({ name, share: spent / longest, value: formatSeconds(spent) })),
    html`<tr class="total"><th scope="row">total</th><td></td><td>${formatSeconds(total)}</td></tr>`,
  );
}

/** Commands that make the run again, and hashes. */
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
