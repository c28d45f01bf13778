/** Who took part: selected, reported, rejected and missing, round by round, and the reasons. */
import { rollups, sum } from 'd3-array';
import type { RoundRecord } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { roundBars } from '../charts/round-bars.js';
import { epsilonText, grouped, groupedCount, lossText } from '../format.js';
import type { RunRecords } from '../records.js';

interface Participation {
  readonly round: number;
  readonly selected: number;
  /** Reported, and counted. */
  readonly reported: number;
  readonly rejected: number;
  readonly missing: number;
}

/** Reasons, and clients of one reason, that are shown. */
const MOST_REASONS = 20;
const MOST_NAMES = 8;

/** Numbers as bars and as a table, reasons below; nothing before the first round. */
export function participation({ rounds }: RunRecords): Html | undefined {
  if (rounds.length === 0) return undefined;
  const numbers = rounds.map(participationOf);
  const total = (part: 'selected' | 'reported' | 'rejected' | 'missing') =>
    sum(numbers, (round) => round[part]);
  const [selected, reported] = [total('selected'), total('reported')];
  return html`<section class="card">
    <h2>Participation</h2>
    <p>${selected === reported ? `All ${grouped(selected)} selected clients of ${groupedCount(rounds.length, 'round')} reported.` : `Of ${grouped(selected)} selections in ${groupedCount(rounds.length, 'round')}, ${grouped(reported)} reported, ${grouped(total('rejected'))} were rejected, ${grouped(total('missing'))} are missing.`}</p>
    <div class="pair"><figure>${roundBars({
      description: `Clients per round: ${reported} reported, ${total('rejected')} rejected, ${total('missing')} missing in all`,
      parts: ['reported', 'rejected', 'missing'],
      rounds: numbers,
    })}<figcaption><span class="key reported"></span>reported <span class="key rejected"></span>rejected <span class="key missing"></span>missing</figcaption></figure>
    ${reasons(rounds)}</div>
    <details><summary>Round by round</summary>${table(rounds, numbers)}</details>
  </section>`;
}

function participationOf({ round, selected, reported, rejected, missing }: RoundRecord): Participation {
  const refused = new Set(rejected.map((each) => ('client' in each ? each.client : -1)));
  return {
    round,
    selected: selected.length,
    reported: reported.filter(({ client }) => !refused.has(client)).length,
    rejected: rejected.length,
    missing: missing.length,
  };
}

function reasons(rounds: readonly RoundRecord[]): Html | undefined {
  const losses = rounds.flatMap(({ round, rejected, missing }) => [
    ...rejected.map((each) => ({ round, what: 'rejected', who: nameOf(each), reason: each.reason })),
    ...missing.map((each) => ({ round, what: 'missing', who: nameOf(each), reason: each.reason })),
  ]);
  if (losses.length === 0) return undefined;
  const groups = rollups(
    losses,
    (group) => group,
    ({ what, reason }) => `${what}: ${reason}`,
  ).sort(([, a], [, b]) => b.length - a.length);
  return html`<div><h3>Reasons</h3>
    <ul class="reasons">${groups.slice(0, MOST_REASONS).map(([reason, group]) => html`<li><strong>${grouped(group.length)} ×</strong> ${reason}<small>${listOf(group.map(({ round, who }) => `${who} in round ${round}`))}</small></li>`)}</ul>
    ${groups.length > MOST_REASONS && html`<p class="note">and ${groupedCount(groups.length - MOST_REASONS, 'other reason')}</p>`}</div>`;
}

function nameOf(each: RoundRecord['rejected'][number]): string {
  return 'client' in each ? `client ${each.client}` : each.file;
}

function listOf(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(', ') + (more > 0 ? ` and ${grouped(more)} more` : '');
}

/** A column of the table: its title, and what stands in it. */
type Column = readonly [
  title: string,
  cell: (record: RoundRecord, numbers: Participation) => string | undefined,
];

const COLUMNS: readonly Column[] = [
  ['selected', (_, { selected }) => grouped(selected)],
  ['quorum', ({ quorum }) => (quorum === undefined ? undefined : grouped(quorum))],
  ['reported', (_, { reported }) => grouped(reported)],
  ['rejected', (_, { rejected }) => grouped(rejected)],
  ['missing', (_, { missing }) => grouped(missing)],
  ['examples', ({ aggregate }) => aggregate && grouped(aggregate.examples)],
  ['learning rate', ({ learningRate }) => learningRate?.toPrecision(3)],
  ['accuracy', ({ evaluation }) => evaluation?.accuracy?.toFixed(4)],
  ['RMSE', ({ evaluation }) => evaluation?.metrics?.rmse?.toFixed(4)],
  ['loss', ({ evaluation }) => evaluation && lossText(evaluation.loss)],
  ['ε', ({ aggregate }) => aggregate?.privacy && epsilonText(aggregate.privacy)],
  ['clip', ({ aggregate }) => aggregate?.privacy?.clip?.toPrecision(3)],
  ['seconds', ({ seconds }) => seconds && sum(Object.values(seconds)).toFixed(1)],
];

/** Only columns in which something stands. */
function table(rounds: readonly RoundRecord[], numbers: readonly Participation[]): Html {
  const cells = COLUMNS.map(([title, cell]) => ({
    title,
    texts: rounds.map((record, index) => cell(record, numbers[index] as Participation)),
  })).filter(({ texts }) => texts.some((text) => text !== undefined));
  return html`<div class="scroll"><table>
    <thead><tr><th scope="col">round</th>${cells.map(({ title }) => html`<th scope="col">${title}</th>`)}</tr></thead>
    <tbody>${rounds.map(({ round }, index) => html`<tr><th scope="row">${round}</th>${cells.map(({ texts }) => html`<td>${texts[index]}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}
