/** Where the time went. */
import { max, sum } from 'd3-array';
import { type Html, html } from '../../lib/html/html.js';
import { formatSeconds } from '../../lib/observability/format.js';
import { coordinate, count } from '../format.js';
import type { RunRecords } from '../records.js';

/** The steps of a round. */
const STEPS = ['train', 'aggregate', 'evaluate'] as const;

/** Seconds of each stage; nothing where no session has come to its end. */
export function stages({ sessions, rounds }: RunRecords): Html | undefined {
  const last = sessions.at(-1);
  if (last === undefined) return undefined;
  const { total = 0, ...seconds } = last.seconds;
  const rows = Object.entries(seconds);
  const longest = Math.max(max(rows, ([, spent]) => spent) ?? 0, 1e-9);
  return html`<section class="card">
    <h2>Time per stage</h2>
    <table class="bars"><tbody>${rows.map(([stage, spent]) => html`<tr><th scope="row">${stage}</th><td class="bar"><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-fill" width="${coordinate((spent / longest) * 100)}" height="1"/></svg></td><td>${formatSeconds(spent)}</td></tr>`)}
    <tr class="total"><th scope="row">total</th><td></td><td>${formatSeconds(total)}</td></tr></tbody></table>
    ${rounds.some(({ seconds: spent }) => spent) && html`<p class="note">All rounds together, earlier sessions included: ${STEPS.map((step) => `${step} ${formatSeconds(sum(rounds, (round) => round.seconds?.[step]))}`).join(', ')}.</p>`}
    ${sessions.length > 1 && html`<p class="note">Of the last of ${count(sessions.length, 'session')}: what earlier ones had finished was skipped.</p>`}
  </section>`;
}
