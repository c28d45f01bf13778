/** Where the time went: seconds by stage, and when each stage and each client was at work. */
import { max, sum } from 'd3-array';
import { type Html, html } from '../../lib/html/html.js';
import { formatDuration, formatSeconds } from '../../lib/observability/format.js';
import { gantt } from '../charts/gantt.js';
import { groupedCount } from '../format.js';
import type { ReportRecords } from '../report-records.js';
import { barTable } from '../table.js';

/** The steps of a round. */
const STEPS = ['train', 'aggregate', 'evaluate'] as const;

/** Both; nothing where neither a session has come to its end nor anything was timed. */
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
