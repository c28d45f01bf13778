/** Who took part: selected, reported, rejected and missing, round by round, and the reasons. */
import { rollups, sum } from 'd3-array';
import { type RoundRecord, rejectedClients } from '../../lib/formats/run-record.js';
import { type Html, html } from '../../lib/html/html.js';
import { participationGrid, type Turn } from '../charts/participation-grid.js';
import { roundBars } from '../charts/round-bars.js';
import { epsilonText, grouped, groupedCount } from '../format.js';
import type { RunRecords } from '../records.js';
import { type FigureColumn, figuresTable } from '../table.js';

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

/** Numbers as bars, who it was as a grid, reasons beside; a table; nothing before the first round. */
export function participation({ run, rounds }: RunRecords): Html | undefined {
  if (rounds.length === 0) return undefined;
  const numbers = rounds.map(participationOf);
  const total = (part: 'selected' | 'reported' | 'rejected' | 'missing') =>
    sum(numbers, (round) => round[part]);
  const [selected, reported] = [total('selected'), total('reported')];
  const open = selected - reported - total('rejected') - total('missing');
  return html`<section class="card">
    <h2>Participation</h2>
    <p>${selected === reported ? `All ${grouped(selected)} selected clients of ${groupedCount(rounds.length, 'round')} reported.` : `Of ${grouped(selected)} selections in ${groupedCount(rounds.length, 'round')}, ${grouped(reported)} reported, ${grouped(total('rejected'))} were rejected, ${grouped(total('missing'))} are missing${open > 0 ? `, ${grouped(open)} have not reported yet` : ''}.`}</p>
    <div class="pair"><figure>${roundBars({
      description: `Clients per round: ${reported} reported, ${total('rejected')} rejected, ${total('missing')} missing in all`,
      parts: ['reported', 'rejected', 'missing'],
      rounds: numbers,
    })}<figcaption><span class="key reported"></span>reported <span class="key rejected"></span>rejected <span class="key missing"></span>missing</figcaption></figure>
    ${reasons(rounds)}</div>
    <h3>Client by round</h3>
    <figure>${participationGrid(turnsOf(rounds), {
      clients: run.settings.federation.clients,
      rounds: rounds.at(-1)?.round ?? 1,
      description: `Which of ${groupedCount(run.settings.federation.clients, 'client')} took part in which of ${groupedCount(rounds.length, 'round')}`,
    })}</figure>
    <details><summary>Round by round</summary>${table(rounds, numbers)}</details>
  </section>`;
}

function participationOf({ round, selected, reported, rejected, missing }: RoundRecord): Participation {
  const refused = rejectedClients(rejected);
  return {
    round,
    selected: selected.length,
    reported: reported.filter(({ client }) => !refused.has(client)).length,
    rejected: rejected.length,
    missing: missing.length,
  };
}

/** What became of each selected client; one that is neither here nor there has not reported yet. */
function turnsOf(rounds: readonly RoundRecord[]): readonly Turn[] {
  return rounds.flatMap(({ round, reported, rejected, missing }) => {
    const refused = rejectedClients(rejected);
    return [
      ...reported.map(
        ({ client }): Turn => ({ client, round, ending: refused.has(client) ? 'rejected' : 'reported' }),
      ),
      ...missing.map(({ client }): Turn => ({ client, round, ending: 'missing' })),
    ];
  });
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

interface Row {
  readonly record: RoundRecord;
  readonly numbers: Participation;
}

const COLUMNS: readonly FigureColumn<Row>[] = [
  { title: 'round', cell: ({ record }) => record.round },
  { title: 'selected', cell: ({ numbers }) => grouped(numbers.selected) },
  {
    title: 'quorum',
    cell: ({ record: { quorum } }) => (quorum === undefined ? undefined : grouped(quorum)),
  },
  { title: 'reported', cell: ({ numbers }) => grouped(numbers.reported) },
  { title: 'rejected', cell: ({ numbers }) => grouped(numbers.rejected) },
  { title: 'missing', cell: ({ numbers }) => grouped(numbers.missing) },
  { title: 'examples', cell: ({ record: { aggregate } }) => aggregate && grouped(aggregate.examples) },
  { title: 'learning rate', cell: ({ record: { learningRate } }) => learningRate?.toPrecision(3) },
  {
    title: 'ε',
    cell: ({ record: { aggregate } }) => aggregate?.privacy && epsilonText(aggregate.privacy),
  },
  { title: 'clip', cell: ({ record: { aggregate } }) => aggregate?.privacy?.clip?.toPrecision(3) },
  {
    title: 'seconds',
    cell: ({ record: { seconds } }) => seconds && sum(Object.values(seconds)).toFixed(1),
  },
];

const table = (rounds: readonly RoundRecord[], numbers: readonly Participation[]): Html =>
  figuresTable(
    rounds.map((record, at) => ({ record, numbers: numbers[at] as Participation })),
    { title: 'Participation round by round', columns: COLUMNS, more: 'in rounds/*/round.json' },
  );
