/** How a run stands and what it is at: a sentence below its title, and a card with the clients of its round. */

import type { RoundRecord } from '../lib/formats/run-record.js';
import type { RunStatus } from '../lib/formats/runs/run-status.js';
import { type Html, html } from '../lib/html/html.js';
import { formatDuration, formatSeconds } from '../lib/observability/format.js';
import { grouped, groupedCount, lossText } from '../report/format.js';
import type { PageState } from '../report/frame.js';

/** What a person reads of a state, and its tone. */
export const STATES: Readonly<Record<RunStatus['state'], PageState>> = {
  running: { word: 'running', tone: 'open' },
  begun: { word: 'begun', tone: 'open' },
  stopped: { word: 'process gone', tone: 'bad' },
  finished: { word: 'done', tone: 'good' },
  failed: { word: 'failed', tone: 'bad' },
  interrupted: { word: 'interrupted', tone: 'open' },
};

/** A state as a badge. */
export const stateBadge = (state: RunStatus['state']): Html =>
  html`<span class="badge ${STATES[state].tone}">${STATES[state].word}</span>`;

/** Who is at work, what is not as it should be, and when the run was last heard of. */
export function standing({ state, why, process: holder, lastEvent, secondsLeft }: RunStatus): Html {
  const who =
    state === 'running' && holder !== undefined ? `At work: process ${holder.pid} on ${holder.host}. ` : '';
  // Why it failed stands below, with what to do.
  const reason = why !== undefined && (state === 'begun' || state === 'stopped') ? `${why} ` : '';
  const left = secondsLeft === undefined ? '' : ` About ${formatDuration(secondsLeft)} left.`;
  return html`<p class="standing">${who}${reason}${lastEvent !== undefined && html`Last heard of at <time datetime="${lastEvent}">${lastEvent.slice(0, 19).replace('T', ' ')} UTC</time>.`}${left}</p>`;
}

/** Of more clients, those are shown that have not reported. */
const MOST_ROWS = 30;

/** The card; nothing of a run that is over. `rounds` are its records, where `run.json` can be read. */
export function nowSection({ now, most }: RunStatus, rounds: readonly RoundRecord[]): Html | undefined {
  if (now === undefined) return undefined;
  const { stage, round, selected, reported = 0 } = now;
  const where = `Round ${round}${most === undefined ? '' : ` of ${most}`}`;
  const sentences: Readonly<Record<typeof stage, string>> = {
    split: 'The data is split into shards.',
    train:
      selected === undefined
        ? `${where}: the clients begin.`
        : `${where}: ${grouped(reported)} of ${groupedCount(selected, 'client')} ${reported === 1 ? 'has' : 'have'} reported.`,
    aggregate: `${where}: the updates are averaged.`,
    evaluate: `${where}: the average is tested.`,
    end: 'All rounds are done: the last tests are made.',
  };
  const record = rounds.find((each) => each.round === round);
  return html`<section class="card now">
    <h2>Now</h2>
    <p>${sentences[stage]}</p>
    ${selected !== undefined && html`<progress max="${Math.max(1, selected)}" value="${reported}" aria-label="Clients of the round that have reported"></progress>`}
    ${stage === 'train' && record && clientTable(record)}
  </section>`;
}

/** A client of the round that is going on. */
interface ClientRow {
  readonly client: number;
  readonly state: string;
  readonly loss?: number | null;
  readonly seconds?: number;
}

/** Those who have not reported first. */
function clientTable({ selected, reported, missing }: RoundRecord): Html {
  const ended = new Set([...reported, ...missing].map(({ client }) => client));
  const rows: readonly ClientRow[] = [
    ...missing.map(({ client, reason }) => ({ client, state: `failed: ${reason}` })),
    ...selected
      .filter((client) => !ended.has(client))
      .map((client) => ({ client, state: 'trains, or waits for its turn' })),
    ...reported.map(({ client, loss, seconds }) => ({ client, state: 'has reported', loss, seconds })),
  ];
  const hidden = rows.length - MOST_ROWS;
  return html`<div class="scroll" role="region" tabindex="0" aria-label="Clients of the round"><table class="figures-table">
    <thead><tr><th scope="col">client</th><th scope="col">state</th><th scope="col">training loss</th><th scope="col">time</th></tr></thead>
    <tbody>${rows.slice(0, MOST_ROWS).map(({ client, state, loss, seconds }) => html`<tr><th scope="row">${client}</th><td>${state}</td><td>${loss !== undefined && lossText(loss)}</td><td>${seconds !== undefined && formatSeconds(seconds)}</td></tr>`)}</tbody>
  </table></div>
  ${hidden > 0 && html`<p class="note">and ${groupedCount(hidden, 'other client')}</p>`}`;
}
