/** How a run stands, in a few lines for people. */
import { isMetric } from '../../lib/federation/metrics.js';
import type { RunStatus } from '../../lib/formats/runs/run-status.js';
import { formatDuration, formatLoss } from '../../lib/observability/format.js';
import { inOneLine, wrapped } from './event-text.js';

/** Columns of a line at most. */
const WIDTH = 80;
/** Letters of what a line is about. */
const TITLE = 10;

const count = (number: number, thing: string) => `${number} ${thing}${number === 1 ? '' : 's'}`;

/** E.g. `2026-11-26 20:12:03 UTC`. */
const moment = (time: string): string => `${time.slice(0, 19).replace('T', ' ')} UTC`;

/** Lines of at most 80 columns, a fact each; a longer one goes on below. */
export function statusText(status: RunStatus): string {
  const { id = 'a run without an id', name, tags = [], state, volume, failure } = status;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['run', [name === undefined ? id : `${name} (${id})`, ...tags.map((tag) => `#${tag}`)].join(' ')],
    ['state', [state, roundsOf(status)].filter((each) => each !== undefined).join(', ')],
    ['now', nowOf(status)],
    ['why', status.why],
    ['next', failure?.next],
    ['last', status.last && `${figureText(status.last)}, loss ${formatLoss(status.last.loss)}`],
    ['best', status.best && figureText(status.best)],
    ['since', timesOf(status)],
    ['process', processOf(status)],
    ['volume', volume],
  ];
  return facts
    .flatMap(([title, text]) =>
      text === undefined ? [] : wrapped(inOneLine(text), { title: title.padEnd(TITLE), width: WIDTH }),
    )
    .join('\n');
}

function roundsOf({ rounds, most }: RunStatus): string | undefined {
  if (most === undefined) return rounds === 0 ? undefined : count(rounds, 'round');
  return `${rounds} of ${count(most, 'round')}`;
}

const STAGES = {
  split: 'splitting the data',
  train: 'training',
  aggregate: 'aggregating',
  evaluate: 'testing',
  end: 'testing the models of the clients',
} as const;

function nowOf({ now, state, secondsLeft }: RunStatus): string | undefined {
  if (now === undefined) return undefined;
  const { stage, round, selected, reported = 0, missing = 0 } = now;
  const clients =
    stage === 'train' && selected !== undefined
      ? `, ${reported} of ${count(selected, 'client')} reported${missing === 0 ? '' : `, ${missing} missing`}`
      : '';
  const left = secondsLeft === undefined ? '' : `; about ${formatDuration(secondsLeft)} left`;
  const where = round === undefined ? '' : `round ${round}: `;
  return `${where}${STAGES[stage]}${clients}${left}${state === 'stopped' ? ', when it stopped' : ''}`;
}

function figureText({ round, metric, value }: NonNullable<RunStatus['best']>): string {
  const text = value === null ? 'not finite' : isMetric(metric) ? value.toFixed(4) : `${value}`;
  return `round ${round}: ${metric} ${text}`;
}

function timesOf({ since, ended, seconds, lastEvent, state }: RunStatus): string | undefined {
  if (since === undefined) return undefined;
  const spent = seconds === undefined ? '' : `, ${formatDuration(seconds)}`;
  if (ended !== undefined) return `${moment(since)} until ${moment(ended)}${spent}`;
  const last = state === 'running' || lastEvent === undefined ? '' : `; last event ${moment(lastEvent)}`;
  return `${moment(since)}${spent}${last}`;
}

const LIVES = { alive: 'lives', dead: 'is no more', unknown: 'whether it lives cannot be told from here' };

function processOf({ process }: RunStatus): string | undefined {
  return process && `${process.pid} on ${process.host}: ${LIVES[process.life]}`;
}
